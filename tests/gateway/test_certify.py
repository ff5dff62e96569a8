"""Certification: shipped platforms reach the tier that the documentation states, and a broken folder does not."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

import adapters
from canonical.alarm import Alarm, AlarmPolicy
from canonical.errors import Misconfigured
from canonical.findings import Severity
from canonical.reading import Reading
from canonical.report import Report
from gateway.certify.bench import folder_of
from gateway.certify.certificate import schema, text
from gateway.certify.digest import digest, tier_of
from gateway.certify.material import _opens, declaration
from gateway.certify.report import page, view, write
from gateway.certify.run import FAILED, NOT_APPLICABLE, PASSED, Result, grade, reaches
from gateway.certify.scenario import Scenario, Tier, pack
from gateway.certify.sending import cut
from gateway.cli.main import app
from gateway.configuration import load, read
from gateway.hub import clock
from gateway.settings import example_city
from tests.gateway.conftest import Certify
from tests.gateway.parks import FILES, parks

DOCUMENT = Path(__file__).parents[2] / "docs" / "certification.md"
STATED = dict(re.findall(r"^\| `([a-z0-9_]+)` \|.*\| (none|bronze|silver|gold) \|$", DOCUMENT.read_text("utf-8"), re.M))


def chosen(*names: str) -> list[Scenario]:
    return [one for one in pack() if one.name in names]


def outcomes(results: list[Result]) -> dict[str, str]:
    return {one.scenario.name: one.result for one in results}


def copied(tmp_path: Path, change: Callable[[str], str], file: str = "system.yaml") -> Path:
    """The hotline's folder with one file changed."""
    folder = tmp_path / "hotline_12345"
    shutil.copytree(adapters.shipped()["hotline_12345"], folder)
    path = folder / file
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    return folder


def test_the_documentation_states_a_tier_for_every_shipped_platform() -> None:
    assert set(STATED) == set(adapters.shipped())


@pytest.mark.parametrize("system", sorted(STATED))
def test_a_shipped_platform_reaches_the_tier_its_documentation_states(system: str, certify: Certify) -> None:
    results = certify(folder_of(system), pack())

    wrong = {one.scenario.name: one.why for one in results if one.result == FAILED}
    assert wrong == {}
    assert grade(results) == STATED[system]
    told = view({"id": system, "title": "示例", "edition": "1", "other_side": "无"}, results, clock())
    jsonschema.validate(told, schema())
    shown = json.dumps(told["scenarios"], ensure_ascii=False) + page(told)
    assert {one for one in personal_data(folder_of(system)) if one in shown} == set()
    assert all(one.why for one in results if one.result == NOT_APPLICABLE)


@pytest.mark.parametrize("system", ["fire_alarms", "social_governance"])
def test_messages_of_a_door_are_signed_again_and_a_wrong_secret_is_refused(system: str, certify: Certify) -> None:
    results = certify(folder_of(system), chosen("create", "wrong_secret"), simulator=False)

    assert outcomes(results) == {"create": PASSED, "wrong_secret": PASSED}


def test_samples_that_read_reach_no_tier_by_themselves() -> None:
    [read] = chosen("samples")

    assert grade([Result(read, PASSED, "", 0.1)]) is Tier.NONE


def test_a_certificate_is_of_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "hotline_12345"
    shutil.copytree(adapters.shipped()["hotline_12345"], folder)
    facts = {"id": "x", "title": "示例", "edition": "1", "other_side": "无", "digest": digest(folder)}
    certificate, _ = write(tmp_path / "report", view(facts, [result("create", PASSED)], clock()))

    assert tier_of(certificate, folder) == "bronze"

    (folder / "README.md").write_text("notes", encoding="utf-8")
    assert tier_of(certificate, folder) == "bronze"

    (folder / "system.yaml").write_text((folder / "system.yaml").read_text("utf-8") + "\n# changed\n", "utf-8")
    with pytest.raises(Misconfigured, match="has changed"):
        tier_of(certificate, folder)


def test_a_certificate_of_some_scenarios_gives_no_tier(tmp_path: Path) -> None:
    folder = adapters.shipped()["hotline_12345"]
    facts = {"id": "x", "title": "示例", "edition": "1", "other_side": "无", "digest": digest(folder)}
    certificate, _ = write(tmp_path, view(facts, [result("create", PASSED)], clock(), whole=False))

    with pytest.raises(Misconfigured, match="only some scenarios"):
        tier_of(certificate, folder)


def test_a_platform_whose_refusals_look_like_success_fails(tmp_path: Path, certify: Certify) -> None:
    accepted = "verdict: [case, joined, repeated, applied, split, held]"
    folder = copied(tmp_path, lambda text: text.replace(accepted, "verdict: [accepted, deferred, refused]"))

    results = certify(folder, chosen("create", "broken_bytes"), simulator=False)

    assert outcomes(results) == {"create": PASSED, "broken_bytes": FAILED}
    assert grade(results) is Tier.NONE


def test_a_platform_whose_door_asks_for_no_secret_is_not_said_to_pass(tmp_path: Path, certify: Certify) -> None:
    folder = copied(tmp_path, lambda text: text.replace("authenticate: {from: token, secret: token}", ""))

    [result] = certify(folder, chosen("wrong_secret"), simulator=False)

    assert result.result == FAILED
    assert "unauthenticated" in result.why or "refused" in result.why


def test_a_platform_whose_repeats_get_another_answer_fails(tmp_path: Path, certify: Certify) -> None:
    folder = copied(tmp_path, lambda text: text.replace("[case, joined, repeated, applied,", "[case, joined, applied,"))

    assert outcomes(certify(folder, chosen("duplicate"), simulator=False)) == {"duplicate": FAILED}


def test_without_a_simulator_the_other_side_is_made_of_the_folder_and_its_own_answers_are_asked_for_gold(
    certify: Certify,
) -> None:
    results = certify(folder_of("hotline_12345"), chosen("create", "handed_over", "lost_answer"), simulator=False)

    assert outcomes(results) == {"create": PASSED, "handed_over": PASSED, "lost_answer": NOT_APPLICABLE}
    assert "samples/dispatch.answer.json" in results[-1].why or ".answer.json" in results[-1].why
    assert results[-1].caps


def result(name: str, ended: str, why: str = "", *, core: bool = False, cannot: bool = False) -> Result:
    [scenario] = chosen(name)
    return Result(scenario, ended, why, 0.1, core=core, cannot=cannot)


def test_what_the_bench_cannot_play_caps_the_tier_only_where_it_is_core() -> None:
    played = [result("create", PASSED, core=True), result("duplicate", PASSED, core=True)]

    def with_told(*, core: bool, cannot: bool) -> Tier:
        return grade([*played, result("told", NOT_APPLICABLE, core=core, cannot=cannot)])

    assert with_told(core=True, cannot=True) is Tier.BRONZE
    assert with_told(core=True, cannot=False) is Tier.SILVER
    assert with_told(core=False, cannot=True) is Tier.SILVER


def test_a_platform_played_against_answers_made_of_its_own_declaration_is_no_more_than_silver(certify: Certify) -> None:
    results = certify(folder_of("hotline_12345"), pack(), simulator=False)

    assert grade(results) is Tier.SILVER
    assert {"late_answer", "lost_answer"} <= {one.scenario.name for one in results if one.caps}


def test_a_platform_nobody_has_met_is_asked_page_by_page_handed_cases_and_reaches_gold(
    tmp_path: Path, certify: Certify
) -> None:
    results = certify(parks(tmp_path), pack())

    assert {one.scenario.name: one.why for one in results if one.result == FAILED} == {}
    assert grade(results) is Tier.GOLD
    played = {name for name, ended in outcomes(results).items() if ended == PASSED}
    assert {"create", "duplicate", "unknown_code", "burst", "page_repeats", "list_fails", "token_ends"} <= played
    assert {"handed_over", "worked", "platform_down", "late_answer", "lost_answer", "page_for_people"} <= played


PLANTED = {
    "a wrong code map": (
        "codes/kinds.csv", "E01-10", "E01-02", "samples", ["samples/orders.new.in.json", "class_code"],
    ),
    "a wrong identity key": (
        "messages/order.yaml", "external_id: {from: no}", "external_id: {from: kind}", "samples",
        ["samples/orders.new.in.json", "external_id"],
    ),
    "a text that is dropped": (
        "messages/order.yaml", "  description: {from: text}\n", "", "samples",
        ["samples/orders.new.in.json", "report.description"],
    ),
    "a wrong success predicate": (
        "system.yaml", 'when: {ret: "0"}', 'when: {ret: "1"}', "samples",
        ["samples/hand_over.answer.json", "answers.envelope"],
    ),
    "a member that goes to the wrong place": (
        "messages/hand_over.yaml", "ourNo: {from: case.reference}", "ourNumber: {from: case.reference}", "samples",
        ["samples/hand-over.out.json"],
    ),
    "a token that is looked for in the wrong place": (
        "system.yaml", "token: data.token", "token: data.tokens", "create", ["orders", "no token"],
    ),
    "an answer that is always yes": (
        "system.yaml", "    shape: [json]\n    rows:\n",
        "    shape: [text]\n    rows:\n      - {http: 2xx, then: accepted}\n", "page_for_people", ["answers.envelope"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_a_broken_folder_falls_and_the_report_says_where(tmp_path: Path, fault: str, certify: Certify) -> None:
    file, right, wrong, scenario, told = PLANTED[fault]
    assert FILES[file].count(right) == 1
    folder = parks(tmp_path, **{file: FILES[file].replace(right, wrong)})

    results = certify(folder, chosen("samples", scenario))

    [broken] = [one for one in results if one.scenario.name == scenario]
    assert broken.result == FAILED
    assert all(word in broken.why for word in told), broken.why
    assert grade(results) is Tier.NONE


def test_the_same_mistake_in_declaration_and_samples_leaves_a_case_without_words(
    tmp_path: Path, certify: Certify
) -> None:
    read = json.loads(FILES["samples/orders.new.reading.json"])
    del read[0]["report"]["description"]
    folder = parks(tmp_path, **{
        "messages/order.yaml": FILES["messages/order.yaml"].replace("  description: {from: text}\n", ""),
        "samples/orders.new.reading.json": json.dumps(read),
    })  # fmt: skip

    [_, create] = certify(folder, chosen("samples", "create"))

    assert create.result == FAILED
    assert "messages/order.yaml: report.description" in create.why


def test_an_identity_that_no_sample_can_change_caps_every_tier(tmp_path: Path, certify: Certify) -> None:
    read = json.loads(FILES["samples/orders.new.reading.json"])
    read[0]["external_id"] = "T1"
    order = FILES["messages/order.yaml"].replace("external_id: {from: no}", "external_id: {from: kind}")
    folder = parks(tmp_path, **{
        "messages/order.yaml": order,
        "samples/orders.new.reading.json": json.dumps(read),
    })  # fmt: skip

    [_, create] = results = certify(folder, chosen("samples", "create"))

    assert create.caps
    assert grade(results) is Tier.NONE


@pytest.mark.parametrize(
    ("policy", "value", "opens"),
    [
        ({"raise_below": 3}, 2.5, True),
        ({"raise_below": 3}, 3.5, False),
        ({"raise_at": 20, "raise_below": 3}, 2.5, True),
        ({"raise_at": 20, "raise_below": 3}, 10, False),
        ({"raise_at": 20}, 21, True),
        ({"raise_at": 20}, 2.5, False),
        ({"raise_below": 3, "times": 2}, 2.5, False),
    ],
)
@pytest.mark.parametrize("kind", ["pressure", "*"])
def test_a_low_alarm_opens_a_case_by_its_own_threshold(
    policy: dict[str, float], value: float, opens: bool, kind: str
) -> None:
    declared = declaration(folder_of("sensors")).model_copy(update={"alarms": {kind: AlarmPolicy(**policy)}})
    alarm = Alarm(device="d", kind="pressure", active=False, value=value)
    reading = Reading(
        system="s", kind="k", edition="1", external_id="e", report=Report(description="示例"), alarm=alarm
    )

    assert _opens(reading, declared) is opens


def test_an_owner_that_reports_nothing_is_graded_by_what_it_is_handed() -> None:
    read, handed = result("samples", PASSED), result("handed_over", PASSED, core=True)

    assert grade([read, result("create", NOT_APPLICABLE, cannot=True), handed]) is Tier.SILVER
    assert grade([read, result("create", NOT_APPLICABLE, core=True), handed]) is Tier.NONE


@pytest.mark.parametrize(("ended", "code"), [("create", 0), ("broken_bytes", 1)])
def test_a_part_of_the_pack_is_partial_and_ends_with_whether_it_failed(tmp_path: Path, ended: str, code: int) -> None:
    accepted = "verdict: [case, joined, repeated, applied, split, held]"
    folder = copied(tmp_path, lambda text: text.replace(accepted, "verdict: [accepted, deferred, refused]"))

    done = CliRunner().invoke(
        app,
        ["certify", str(folder), "--no-simulator", "--scenarios", f"create,{ended}", "--out", str(tmp_path / "out")],
    )

    assert done.exit_code == code, done.output
    assert "partial" in done.output
    assert json.loads((tmp_path / "out" / "certificate.json").read_text("utf-8"))["tier"] == "partial"


def test_the_schema_of_a_certificate_is_that_of_the_model() -> None:
    kept = (DOCUMENT.parent / "schema" / "certificate.schema.json").read_text(encoding="utf-8")

    assert kept == text(), "renew it: python -m gateway.certify.certificate > docs/schema/certificate.schema.json"


def personal_data(folder: Path) -> set[str]:
    """Names of reporters in golden files, and telephone numbers anywhere in the samples."""
    found: set[str] = set()
    for path in (folder / "samples").iterdir():
        said = path.read_bytes().decode("utf-8", "replace")
        found |= set(re.findall(r"(?<![0-9A-Za-z.])1[3-9][0-9]{9}(?![0-9A-Za-z])", said))
        found |= set(re.findall(r'"reporter":\s*\{\s*"name":\s*"([^"]{2,})"', said))
    return found


@pytest.mark.parametrize(
    ("ended", "reached"),
    [
        ((PASSED, PASSED, PASSED), Tier.GOLD),
        ((PASSED, PASSED, FAILED), Tier.SILVER),
        ((PASSED, FAILED, PASSED), Tier.BRONZE),
        ((FAILED, PASSED, PASSED), Tier.NONE),
        ((PASSED, NOT_APPLICABLE, PASSED), Tier.BRONZE),
    ],
)
def test_a_tier_needs_every_tier_below_and_something_passed_of_its_own(
    ended: tuple[str, str, str], reached: Tier
) -> None:  # fmt: skip
    results = [result(name, one) for name, one in zip(("create", "duplicate", "lost_answer"), ended, strict=True)]

    assert grade(results) is reached
    assert reaches(reached, Tier.BRONZE) is (reached is not Tier.NONE)


def test_the_page_holds_everything_and_asks_for_nothing() -> None:
    evil = result("duplicate", FAILED, "<script>alert(1)</script>")

    told = view(
        {"id": "x", "title": "示例", "edition": "1", "other_side": "无"}, [result("create", PASSED), evil], clock()
    )
    html = page(told)

    assert json.loads(json.dumps(told)) == told
    assert "一次上报恰成一案" in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"<script|src=|@import|url\(|https?://", html)


def test_the_page_begins_with_what_keeps_a_platform_from_a_higher_tier() -> None:
    broken = result("duplicate", FAILED, "两案 | two cases")
    left = [result(name, NOT_APPLICABLE, "put an answer", core=True, cannot=True) for name in ("late_answer", "told")]

    html = page(
        view({"id": "x", "title": "示例", "edition": "1", "other_side": "无"}, [broken, *left], clock())
    ).partition("<table>")[0]

    assert "两案 | two cases" in html
    assert html.count("put an answer") == 1
    assert "超时之后才应答，不重不丢、来源得知立案和结案" in html
    assert 'class="look"' not in page(view({"id": "x", "title": "x", "edition": "1", "other_side": "无"}, [], clock()))


def test_evidence_shows_the_same_character_again_and_again_once() -> None:
    assert cut("a" + "[" * 5000) == "a[[[…(×5000)"
    assert cut("-" * 39) == "-" * 39


def test_evidence_shows_no_secret_and_no_whole_telephone_number(certify: Certify) -> None:
    [played] = certify(folder_of("hotline_12345"), chosen("create"), simulator=False)

    told = " ".join(one.sent + one.answer for one in played.exchanges)
    assert "certify-" not in told
    assert "13900000099" not in told
    assert "赵某某" not in told
    assert "139****0099" in told


@pytest.mark.parametrize(
    ("city", "entry", "said"),
    [
        ("", "", ""),
        ("min_tier: silver", "", "no certificate, silver is asked for"),
        ("min_tier: silver", "min_tier: none", ""),
        ("min_tier: bronze", "certificate: c/certificate.json", ""),
        ("", "{min_tier: gold, certificate: c/certificate.json}", "the certificate gives bronze, gold is asked for"),
        ("", "certificate: elsewhere.json", "No such file"),
    ],
)
def test_a_check_warns_of_systems_below_the_tier_the_city_asks_for_and_the_hub_runs_all_the_same(
    tmp_path: Path, city: str, entry: str, said: str
) -> None:
    config = tmp_path / "city"
    shutil.copytree(example_city(), config)
    with (config / "city.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{city}\n")
    units = (config / "units.csv").read_text(encoding="utf-8")
    carried_by_nobody = re.sub(r"\b(urban_management|social_governance|hotline_12345)\b", "", units)
    (config / "units.csv").write_text(carried_by_nobody, encoding="utf-8")
    own = yaml.safe_load(entry) or {}
    system = {
        "sensors": {"adapter": "sensors", "secrets": dict.fromkeys(declaration(folder_of("sensors")).secrets, "${S}")}
        | own
    }
    (config / "systems.yaml").write_text(yaml.safe_dump(system), encoding="utf-8")
    facts = {"id": "x", "title": "示例", "edition": "1", "other_side": "无", "digest": digest(folder_of("sensors"))}
    write(config / "c", view(facts, [result("create", PASSED)], clock()))

    configuration, findings = read(config, {"S": "s"})
    told = [one for one in findings if one.key.startswith("sensors.")]

    assert configuration is not None
    assert [one.severity for one in told] == ([Severity.WARNING] if said else [])
    assert all(said in one.text and one.line == 1 for one in told)
    assert "sensors" in load(config, {"S": "s"}).systems


PERSON, PHONE, CARD = "欧阳示例", "13800000000", "34020219900101001X"


def test_nothing_of_a_citizen_stands_in_a_report_wherever_the_platform_writes_it(
    tmp_path: Path, certify: Certify
) -> None:
    order = json.loads(FILES["samples/orders.new.in.json"])
    order["text"] = f"{PERSON}（电话{PHONE}，证件{CARD}）反映示例路12号行道树倒伏"
    order |= {"contact": PERSON, "tel": f"+86 {PHONE}"}
    read = json.loads(FILES["samples/orders.new.reading.json"])
    read[0]["report"] |= {"description": order["text"], "reporter": {"name": PERSON, "phone": f"+86 {PHONE}"}}
    told = FILES["messages/order.yaml"] + "  reporter: {name: {from: contact}, phone: {from: tel}}\n"
    contract = json.loads(FILES["contract/order.json"])
    contract["properties"] |= {"contact": {"type": "string"}, "tel": {"type": "string"}}
    folder = parks(tmp_path, **{
        "messages/order.yaml": told,
        "contract/order.json": json.dumps(contract),
        "samples/orders.new.in.json": json.dumps(order, ensure_ascii=False),
        "samples/orders.new.reading.json": json.dumps(read, ensure_ascii=False),
    })  # fmt: skip

    results = certify(folder, chosen("samples", "create", "broken_bytes", "missing_members", "changed_repeat"))

    assert {one.scenario.name: one.why for one in results if one.result != PASSED} == {}
    report = view({"id": "x", "title": "示例", "edition": "1", "other_side": "无"}, results, clock())
    shown = json.dumps(report, ensure_ascii=False) + page(report)
    assert [one for one in (PERSON, PHONE, CARD) if one in shown] == []
