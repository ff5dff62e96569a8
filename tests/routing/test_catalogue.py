"""The catalogue: which standard row a text speaks for, and what its tables may get wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.codes import ClassCode
from canonical.errors import IllegalAction
from canonical.findings import Finding
from canonical.report import Urgency
from canonical.time import Limit, LimitUnit
from routing.catalogue import Acceptance, Catalogue, load_catalogue

CLASSES = """code,name,acceptance,reason,note
30428.2:P01-01,上水井盖,file,,
30428.2:E03-01,施工扰民,verify,先核实是否夜间许可,
local:E99-01,噪声纠纷,refuse,请向公安机关反映,不属本市受理
"""
STANDARDS = """id,class,condition,keywords,default,limit_value,limit_unit,closing,source
S1,30428.2:P01-01,缺失,缺失|丢失|不见,no,2,urgent_work_hour,恢复,演示
S2,30428.2:P01-01,破损,破损|裂,yes,4,work_hour,更换,演示
S3,30428.2:P01-01,异响,响| 跳 |,no,2,work_day,修复,演示
S4,30428.2:E03-01,超时施工,,yes,2,urgent_work_hour,制止,演示
"""
COVER, NOISE, QUARREL = (ClassCode.parse(text) for text in ("30428.2:P01-01", "30428.2:E03-01", "local:E99-01"))


def load(folder: Path, classes: str, standards: str) -> tuple[Catalogue, list[Finding]]:
    (folder / "classes.csv").write_text(classes, encoding="utf-8")
    (folder / "standards.csv").write_text(standards, encoding="utf-8")
    findings: list[Finding] = []
    return load_catalogue(folder, findings), findings


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    loaded, findings = load(tmp_path_factory.mktemp("catalogue"), CLASSES, STANDARDS)
    assert findings == []
    return loaded


def test_classes_and_rows_are_read_as_written(catalogue: Catalogue) -> None:
    assert {entry.name: entry.acceptance for entry in catalogue.classes.values()} == {
        "上水井盖": Acceptance.FILE,
        "施工扰民": Acceptance.VERIFY,
        "噪声纠纷": Acceptance.REFUSE,
    }
    assert catalogue.classes[QUARREL].reason == "请向公安机关反映"
    row = catalogue.standards["S1"]
    assert (row.limit, row.closing) == (Limit(value=2, unit=LimitUnit.URGENT_WORK_HOUR), "恢复")
    assert catalogue.standards["S3"].keywords == ("响", "跳")


@pytest.mark.parametrize(
    ("text", "urgency", "row", "why"),
    [
        ("井盖丢失", Urgency.NORMAL, "S1", "丢失"),
        ("井盖有裂，一过车就响，还跳", Urgency.NORMAL, "S3", "响, 跳"),
        ("井盖有问题", Urgency.NORMAL, "S2", "default"),
        ("井盖有问题", Urgency.URGENT, "S2", "default"),
        ("", Urgency.NORMAL, "S2", "default"),
        ("裂裂裂响跳", Urgency.NORMAL, "S3", "响, 跳"),
        ("破损并且响", Urgency.NORMAL, "S2", "破损"),
        ("响，不见了", Urgency.NORMAL, "S1", "不见"),
        ("响，有裂", Urgency.URGENT, "S2", "裂"),
    ],
)
def test_the_row_whose_words_occur_most_is_taken(
    catalogue: Catalogue, text: str, urgency: Urgency, row: str, why: str
) -> None:
    standard, reason = catalogue.standard_for(COVER, text, urgency)

    assert standard.id == row
    assert why in reason
    assert f"standards.csv {row}" in reason


def test_between_equals_an_urgent_report_takes_the_shorter_limit(tmp_path: Path) -> None:
    rows = "A,30428.2:P01-01,x,灯,yes,2,work_day,x,s\nB,30428.2:P01-01,x,灯,no,3,urgent_work_hour,x,s\n"
    catalogue, _ = load(tmp_path, CLASSES, STANDARDS.splitlines()[0] + "\n" + rows)

    assert catalogue.standard_for(COVER, "灯", Urgency.NORMAL)[0].id == "A"
    assert catalogue.standard_for(COVER, "灯", Urgency.URGENT)[0].id == "B"


def test_a_class_without_rows_needs_a_person(catalogue: Catalogue) -> None:
    with pytest.raises(IllegalAction, match="no standard row"):
        catalogue.standard_for(QUARREL, "text", Urgency.NORMAL)


@given(text=st.text(alphabet="缺失破损裂响跳丢不见 ", max_size=20), urgency=st.sampled_from(Urgency))
def test_no_row_speaks_louder_than_the_one_taken(catalogue: Catalogue, text: str, urgency: Urgency) -> None:
    standard, why = catalogue.standard_for(COVER, text, urgency)

    def count(keywords: tuple[str, ...]) -> int:
        return sum(keyword in text for keyword in keywords)

    assert count(standard.keywords) == max(count(row.keywords) for row in catalogue.of_class[COVER])
    spoken = ", ".join(keyword for keyword in standard.keywords if keyword in text)
    assert why == f"standards.csv {standard.id}: {spoken or f'the default row of {COVER}'}"  # never the citizen's words


def test_every_wrong_row_is_found_with_its_line(tmp_path: Path) -> None:
    classes = """code,name,acceptance,reason,note
E04-06,占道经营,file,,
30428.2:E4-6,占道经营,file,,
30428.2:P01-01,上水井盖,file,,
30428.2:P01-01,上水井盖,file,,
30428.2:P01-02,污水井盖,accept,,
30428.2:E03-01,施工扰民,verify,,
30428.2:E03-02,施工占道,file,,
30428.2:E03-03,施工废弃料,file,,
30428.2:E03-04,工地扬尘,refuse,不受理,
"""
    standards = """id,class,condition,keywords,default,limit_value,limit_unit,closing,source
S1,30428.2:P01-01,缺失,缺失,yes,2,urgent_work_hour,恢复,演示
S1,30428.2:P01-01,缺失,缺失,no,2,urgent_work_hour,恢复,演示
S2,30428.2:P01-01,缺失,缺失,yes,2,work_hour,恢复,演示
S3,30428.2:E03-02,占道,占道,no,2,work_hour,恢复,演示
S4,30428.2:E03-09,占道,占道,yes,2,work_hour,恢复,演示
S5,30428.2,占道,占道,yes,2,work_hour,恢复,演示
,30428.2:E03-01,占道,占道,maybe,0,hours,恢复,演示
S7,30428.2:E03-01,占道,占道,yes,200000,minute,恢复,演示
"""

    catalogue, findings = load(tmp_path, classes, standards)

    assert sorted((f.file, f.line, f.key) for f in findings) == [
        ("classes.csv", 2, "code"),  # not in canonical form
        ("classes.csv", 3, "code"),
        ("classes.csv", 4, "code"),  # two defaults: S1, S2
        ("classes.csv", 5, "code"),  # twice
        ("classes.csv", 6, "acceptance"),
        ("classes.csv", 7, "code"),  # to be verified and filed, without rows
        ("classes.csv", 7, "reason"),
        ("classes.csv", 8, "code"),  # no default
        ("classes.csv", 9, "code"),  # no rows
        ("standards.csv", 3, "id"),
        ("standards.csv", 4, "keywords"),  # those of S1, and a longer limit
        ("standards.csv", 6, "class"),  # unknown
        ("standards.csv", 7, "class"),
        ("standards.csv", 8, "default"),
        ("standards.csv", 8, "id"),
        ("standards.csv", 8, "limit_unit"),
        ("standards.csv", 8, "limit_value"),
        ("standards.csv", 9, "limit_value"),
    ]
    assert catalogue.standard_for(COVER, "", Urgency.NORMAL)[0].id == "S1"
