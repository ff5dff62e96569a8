"""Divisions by code and by the names in an address."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.findings import Finding, Severity
from routing.divisions import Divisions, load_divisions

HEADER = "code,level,name,parent\n"
ROWS = """3402,city,芜湖市,
340202,district,镜湖区,3402
340207,district,鸠江区,3402
340223,district,南陵县,3402
340202016,street,赭山街道,340202
340202020,street,大砻坊街道,340202
340207003,street,官陡街道,340207
340207004,street,湾里街道,340207
340223101,street,许镇镇,340223
340202016003,community,凤凰山社区居民委员会,340202016
340202020005,community,古城社区居民委员会,340202020
340207003018,community,鸠兹社区居民委员会,340207003
340207003030,community,古城社区居民委员会,340207003
340223101200,community,天城村村民委员会,340223101
340223101201,community,新联村民委员会,340223101
340223101202,community,城关居委会,340223101
340223101203,community,湾里街道居委会,340223101
"""
WUHU = Path(__file__).parents[2].parent / "shared" / "reference" / "wuhu-divisions.csv"


def load(folder: Path, rows: str) -> tuple[Divisions, list[Finding]]:
    path = folder / "divisions.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    findings: list[Finding] = []
    return load_divisions(path, findings), findings


@pytest.fixture(scope="module")
def divisions(tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    loaded, findings = load(tmp_path_factory.mktemp("divisions"), ROWS)
    assert findings == []
    return loaded


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("3402", "3402"),
        ("340200", "3402"),
        ("340200000000", "3402"),
        ("340202", "340202"),
        (" 340202 ", "340202"),
        ("340202000", "340202"),
        ("340202000000", "340202"),
        ("340202016", "340202016"),
        ("340202016000", "340202016"),
        ("340202016000000", "340202016"),
        ("340202016003", "340202016003"),
        ("340202016009", None),
        ("340203000000", None),
        ("34020", None),
        ("340202016003001", None),
        ("000000", None),
        ("镜湖区", None),
        ("", None),
    ],
)
def test_a_code_is_known_in_its_padded_forms(divisions: Divisions, text: str, code: str | None) -> None:
    assert divisions.code_of(text) == code


def test_names_are_told_by_level(divisions: Divisions) -> None:
    names = {"county": "镜湖区", "street": "赭山街道", "community": "凤凰山社区居民委员会"}

    assert divisions.names("340202016003") == names
    assert divisions.names("340202016003008") == names
    assert divisions.names("340202") == {"county": "镜湖区"}
    assert divisions.names("3402") == {}
    assert divisions.names("440304") == {}


def test_a_division_knows_what_lies_in_it(divisions: Divisions) -> None:
    assert divisions.children["3402"] == ("340202", "340207", "340223")
    assert divisions.name("340202016") == "赭山街道"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("安徽省芜湖市镜湖区北京路12号", "340202"),
        ("芜湖市镜湖区赭山街道凤凰山社区3栋", "340202016003"),
        ("凤凰山社区居委会门口", "340202016003"),
        ("赭山街道办事处对面", "340202016"),
        ("官陡街道古城社区", "340207003030"),
        ("镜湖区古城社区旁", "340202020005"),
        ("南陵县许镇镇天城村委会", "340223101200"),
        ("天城村", "340223101200"),
        ("新联村", "340223101201"),
        ("城关社区", "340223101202"),
        ("许镇镇新联村民委员会", "340223101201"),
        ("湾里街道12号", "340207004"),
        ("湾里街道居委会", "340223101203"),
    ],
)
def test_an_address_is_as_fine_as_its_names(divisions: Divisions, address: str, code: str) -> None:
    assert divisions.find_in_text(address) == code


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("古城社区", None),
        ("镜湖区官陡街道", None),
        ("赭山街道与大砻坊街道交界", "340202"),
        ("鸠江区天城村", "340207"),
        ("官陡街道凤凰山社区", "340207003"),
    ],
)
def test_names_that_contradict_or_mean_several_places_give_what_is_above_them(
    divisions: Divisions, address: str, code: str | None
) -> None:
    assert divisions.find_in_text(address) == code


@pytest.mark.parametrize(
    "address", ["", "芜湖市", "劳动路与黄山路口", "天城村路8号", "新凤凰山社区", "小天城村", "镜", "镜湖"]
)
def test_a_part_of_another_name_is_not_a_division(divisions: Divisions, address: str) -> None:
    assert divisions.find_in_text(address) is None


@given(st.text(alphabet="镜湖区赭山街道凤凰古城社村天新联居委会路1 ", max_size=40))
def test_any_text_gives_a_known_division_or_none(divisions: Divisions, text: str) -> None:
    found = divisions.find_in_text(text)

    assert found is None or (divisions.known(found) and len(found) >= 6)


def test_every_wrong_row_is_found_with_its_line(tmp_path: Path) -> None:
    rows = """3402,city,芜湖市,
340202,county,镜湖区,3402
34020,district,鸠江区,3402
340207003,street,官陡街道,340202
340208,district,区,3402
340209,district,弋江区,3402
340209,district,弋江区,3402
340210,district,弋江区,3402
340223101,street,许镇镇,340223
"""

    loaded, findings = load(tmp_path, rows)

    assert [(f.line, f.key, f.severity) for f in findings] == [
        (3, "level", Severity.ERROR),
        (4, "code", Severity.ERROR),
        (5, "parent", Severity.ERROR),
        (6, "name", Severity.ERROR),
        (8, "code", Severity.ERROR),
        (10, "parent", Severity.ERROR),
        (9, "name", Severity.WARNING),
    ]
    assert loaded.known("340209")


@pytest.mark.skipif(not WUHU.exists(), reason="the reference divisions are not beside this checkout")
def test_every_street_of_wuhu_is_found_by_its_full_address(tmp_path: Path) -> None:
    levels = {"county": "district", "village": "community"}
    table = [line.split(",") for line in WUHU.read_text(encoding="utf-8").splitlines()[1:]]
    rows = "".join(
        f"{code},{levels.get(level, level)},{name},{'' if level == 'city' else parent}\n"
        for code, level, name, parent in table
    )
    divisions, findings = load(tmp_path, rows)
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []

    for code, division in divisions.by_code.items():
        if len(code) == 9:
            address = f"安徽省芜湖市{divisions.name(division.parent)}{division.name}"
            assert divisions.find_in_text(address) == code
