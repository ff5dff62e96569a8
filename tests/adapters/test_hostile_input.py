"""What nobody meant to send, at every way of reading: a reading or a refusal, never more, in bounded memory."""

import base64
import gzip
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.charset import text_of
from adapters.expression import Expression, hub_functions
from adapters.path import path_getter
from adapters.time_pattern import time_pattern
from canonical.errors import Unacceptable, Why
from canonical.reading import Reading
from tests.fuzz.readers import CHECKS, FORM, MULTIPART, RULES, SHAPES, book, good, taken, zipped

ZONE = ZoneInfo("Asia/Shanghai")
FUNCTIONS = hub_functions(ZONE, {}, {})
QUICK = settings(deadline=None, max_examples=40)

documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(
        [
            "",
            "\x00",
            "<a>&x;</a>",
            "a=%00",
            "00",
            "AA==",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31",
            "٣",
            "1e999",
            "9" * 400,
        ]
    ),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(["a", "t", "x", "y", "$body"]), below),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut, overwritten, repeated or grown."""
    at = draw(st.integers(0, len(whole)))
    inside = draw(
        st.binary(max_size=8) | st.sampled_from([b"\x00", b"%00", b"\xff\xfe", b"&#0;", b"<!DOCTYPE a>", b"\r\n"])
    )
    return whole[:at] + inside + draw(st.sampled_from([b"", whole[at:], whole[at + len(inside) :], whole]))


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1_000_000
    finally:
        tracemalloc.stop()


def refused(door: str, body: bytes, *, around: str = "", kind: str | None = None) -> Unacceptable:
    [answer] = taken(door, body, around=around, kind=kind)
    assert isinstance(answer, Unacceptable), answer
    return answer


@pytest.mark.parametrize("door", SHAPES)
def test_undamaged_bytes_are_read(door: str) -> None:
    assert all(isinstance(answer, Reading) for answer in taken(door, good()[door]))


@pytest.mark.parametrize("door", SHAPES)
@QUICK
@given(st.data())
def test_any_bytes_are_readings_or_refusals(door: str, data: st.DataObject) -> None:
    taken(door, data.draw(st.binary(max_size=60) | damaged(good()[door])), around=data.draw(st.text(max_size=5)))


@pytest.mark.parametrize("door", SHAPES)
def test_what_ends_early_is_a_reading_or_a_refusal_wherever_it_ends(door: str) -> None:
    whole = good()[door]
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        taken(door, whole[:end])


@pytest.mark.parametrize("door", [*(f"rule_{name}" for name in RULES), *(f"check_{name}" for name in CHECKS)])
@QUICK
@given(st.data())
def test_any_document_is_read_or_refused_by_every_rule_and_check(door: str, data: st.DataObject) -> None:
    import orjson

    document = data.draw(st.fixed_dictionaries({"a": documents, "t": documents}) | documents)
    taken(door, orjson.dumps(document), around=data.draw(st.text(max_size=5)))


@QUICK
@given(st.text(max_size=60), st.text(max_size=20))
def test_any_content_type_is_borne(options: str, kind: str) -> None:
    for given_type in (f"multipart/form-data; {options}", f"multipart/form-data; boundary={options}", kind):
        taken("parts", good()["parts"], kind=given_type)


def bomb(size: int = 400_000_000) -> bytes:
    """gzip of so many zeros, made without having them."""
    import zlib

    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + packer.flush()


def test_a_bomb_costs_no_more_than_what_may_be_unpacked() -> None:
    packed = bomb()
    with at_most(80):
        assert refused("gunzip", packed).why is Why.TOO_LARGE
        refused("zip", zipped(gzip.decompress(bomb(20_000_000))))
        refused("rule_unpacked", b'{"t":"' + base64.b64encode(packed) + b'"}')


def test_members_that_are_small_each_may_not_be_huge_together() -> None:
    fifteen = bomb(15_000_000)
    packed = zipped(*[fifteen] * 20)

    with at_most(100):
        assert refused("zipped_gzip", packed).why is Why.TOO_LARGE


def test_archives_inside_an_archive_share_one_limit() -> None:
    inner = zipped(bytes(9_000_000))

    with at_most(80):
        assert refused("zips", zipped(*[inner] * 10)).why is Why.TOO_LARGE


def test_an_archive_of_archives_gives_the_documents_of_all() -> None:
    inner = zipped(b'{"a":"1","t":"x"}', b'{"a":"2","t":"y"}')

    answers = taken("zips", zipped(inner, inner))

    assert len(answers) == 1  # one document, a list: items would take it apart
    assert isinstance(answers[0], Reading)


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><r><t>&b;</t></r>',
        '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><r><t>&f;</t></r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd"><r/>',
        "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
        "<html><body><br></body></html>",
        "<r>" * 200 + "</r>" * 200,
        "<r>&undeclared;</r>",
        '<r xmlns:a="u" a:b="1" a:b="2"/>',
        "<r>\x00</r>",
        '<r prefix:=""><a xmlns="relative"/></r>',
        '<r><prefix:><a xmlns="relative"/></prefix:></r>',
        "<r>&#xD800;</r>",
        '<?xml version="1.1"?><r>&#1;</r>',
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_hostile_xml_is_unreadable(body: str, charset: str) -> None:
    assert refused("xml", body.encode(charset)).why is Why.UNREADABLE
    assert refused("soap", body.encode(charset)).why is Why.UNREADABLE


@pytest.mark.parametrize("broken", [b"\xf8\x88\x80\x80\x80", b"\xff", b"\x80", b"\xb3"])
def test_bytes_of_no_charset_are_unreadable(broken: bytes) -> None:
    assert refused("json", b'{"a":"1","t":"' + broken + b'"}', kind="application/json").why is Why.UNREADABLE


@pytest.mark.parametrize("text", [b"1" + b"0" * 4300, b"-" + b"9" * 10_000, b"1e99999", b"0x10", b"NaN", b"[" * 2000])
def test_numbers_and_lists_without_end_are_unreadable(text: bytes) -> None:
    assert refused("rule_counted", b'{"a":"1","t":' + text + b"}").why is Why.UNREADABLE


@pytest.mark.parametrize(
    ("door", "body", "kind"),
    [
        ("fields", b"a=1&t=%00", FORM),
        ("fields", b"a=1&%00=t", FORM),
        ("form", b"params=%00", FORM),
        ("parts", good()["parts"].replace(b"\r\n\r\n1", b"\r\n\r\n1\x00"), MULTIPART),
        ("parts", good()["parts"].replace(b"t.png", b"t\x00.png"), MULTIPART),
        ("text", b"a\x00b", "text/plain"),
        ("lines", b"##1\x00x,", "text/plain"),
        ("csv", b"a;t\n1;\x00\n", "text/csv"),
        ("json", b'{"a":"\\u0000"}', ""),
        ("rule_hex", b'{"t":"4100"}', ""),
        ("rule_inner_query", b'{"t":"x=%00"}', ""),
    ],
)  # fmt: skip
def test_a_character_no_database_holds_comes_in_by_no_way(door: str, body: bytes, kind: str) -> None:
    assert refused(door, body, kind=kind).why is Why.UNREADABLE


@pytest.mark.parametrize("around", ["%00", "\x00", "\udc80"])
def test_nor_from_around_the_document(around: str) -> None:
    assert refused("rule_around", b'{"a":"1"}', around=around).why is Why.UNREADABLE


@pytest.mark.parametrize("body", [b"&".join(b"f%d=1" % number for number in range(10_000)), b"&" * 10_000])
def test_ten_thousand_fields_are_refused(body: bytes) -> None:
    assert refused("fields", body).why is Why.UNREADABLE


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=井"]
)
def test_parts_without_a_boundary_are_unreadable(kind: str) -> None:
    assert refused("parts", good()["parts"], kind=kind).why is Why.UNREADABLE


def test_workbooks_in_an_archive_may_not_have_more_cells_than_one() -> None:
    rows = zipped(*[book(("a", "t"), *[("1", "x")] * 50)] * 3)

    assert len(taken("books", rows)) == 1


expressions = st.recursive(
    st.sampled_from(
        ["doc", "doc.a", "doc.t", "doc.x.y", "doc.t[0]", "1", "-1", "9223372036854775807", "0.5", "''", "'井'", "null",
         "[]", "true", "duration('1h')", "timestamp('9999-12-31T23:59:59Z')", "b'\\xff'"]
    ),
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(["+", "-", "*", "/", "%", "==", "<", "in", "&&", "||"]), below).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(st.sampled_from(
            ["text", "num", "digits", "plain", "halfwidth", "degrees", "size", "int", "string", "abs", "round", "-",
             "!", "entries", "flatten", "first", "reverse", "has", "timestamp", "duration", "max", "bytes", "sort",
             "lists.range"]
        ), below).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(below, below).map(lambda parts: f"{parts[0]}.map(v, [v, {parts[1]}])"),
        st.tuples(below, below).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
        st.tuples(below, below).map(lambda parts: f"time({parts[0]}, {parts[1]})"),
        st.tuples(below, below).map(lambda parts: f"pair({parts[0]}, {parts[1]})"),
        st.tuples(below, below).map(lambda parts: f"substring({parts[0]}, {parts[1]})"),
        st.tuples(below, below, below).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(expressions, documents)
def test_any_expression_gives_a_value_or_a_refusal_on_any_document(source: str, document: object) -> None:
    try:
        expression = Expression(source, FUNCTIONS)
    except ValueError:
        return
    with suppress(Unacceptable):
        expression(document)


@QUICK
@given(
    st.sampled_from(["iso", "epoch_ms", "epoch_s", "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy年M月d日"]),
    st.text(max_size=25),
)
def test_any_text_is_a_time_or_a_value_error(pattern: str, text: str) -> None:
    try:
        at = time_pattern(pattern, ZONE).parse(text)
    except (ValueError, OverflowError, OSError):
        return
    assert at.tzinfo is not None


@QUICK
@given(st.text("yMdHmsS'{}-: \\年", max_size=12))
def test_any_pattern_reads_what_it_wrote_or_is_refused(pattern: str) -> None:
    try:
        times = time_pattern(pattern, ZONE)
    except ValueError:
        return
    at = datetime(2026, 5, 20, 10, 11, 12, tzinfo=UTC)
    written = times.write(at)
    assert times.write(times.parse(written)) == written


@pytest.mark.parametrize("pattern", ["yyyyMd", "yyyy-MM-dd Hmm", "y-MM-dd", "yyyyMdd"])
def test_a_pattern_whose_fields_run_into_each_other_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"cannot follow|not known"):
        time_pattern(pattern, ZONE)


TITLE = "镜湖区示例路与样板街路口的雨水井盖松动，车辆经过时有响声，请尽快核实处理。"


@given(st.integers(0, len(TITLE.encode()) - 1), st.integers(0, 255), st.booleans())
def test_damaged_utf_8_never_becomes_other_chinese(at: int, octet: int, cut: bool) -> None:
    whole = TITLE.encode()
    damaged = whole[:at] + (b"" if cut else bytes([octet])) + whole[at + 1 :]
    try:
        damaged.decode()
    except UnicodeDecodeError:
        with pytest.raises(Unacceptable):
            text_of(damaged, "auto")


@pytest.mark.parametrize("text", [TITLE, "井", "井盖", "A-12 井盖松动 2026", "①㈠￥", "𠮷野家（示例）", "\ufeff井盖"])
def test_whole_texts_are_read_in_either_charset(text: str) -> None:
    bare = text.removeprefix("\ufeff")

    assert text_of(text.encode(), "auto") == bare
    assert text_of(bare.encode("gb18030"), "auto") == bare
    assert text_of(bare.encode("gb18030"), "gb18030") == bare


@QUICK
@given(st.lists(st.sampled_from(["a", "t", "0", "7", "$body"]), min_size=1, max_size=4).map(".".join), documents)
def test_any_path_into_any_document_gives_a_value_or_none(path: str, document: object) -> None:
    path_getter(path)(document)
