"""Bad input at each door, over real sockets: the contract's own error, one journal row, nothing half-stored, and the
hub goes on.
"""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.gateway.pushes import (
    ACCEPTED,
    FORM,
    GRID,
    HOTLINE,
    JSON,
    MEGABYTE,
    NAME,
    PHONE,
    URBAN,
    XML,
    Push,
    good,
    grid,
    hotline,
    last_row,
    part,
    record,
    refusal,
    soap,
    status,
    ticket,
    told,
)  # fmt: skip
from tests.gateway.running import SECRET, HubUnderTest

DEEP = 100_000
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("bcdefgh", "cdefghi", strict=True))
    + "]>"
)
FILE_ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def raw(system: str, body: bytes, content_type: str = "", **headers: str) -> Push:
    """Any bytes with any type."""
    secret = {"token": SECRET} if system == GRID else {}
    return Push(system, body, secret | ({"content-type": content_type} if content_type else {}) | headers)


def text_of(params: Mapping[str, Any]) -> str:
    return json.dumps({"params": params, "token": SECRET}, ensure_ascii=False)


def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def callback(arguments: str, *, head: str = "") -> Push:
    """The platform's operation with any arguments."""
    return soap(f'<FNZF_BH_CityManage xmlns="http://tempuri.org/">{arguments}</FNZF_BH_CityManage>', head=head)


TICKET = hotline(ticket()).body
OTHER_PART = b'------cns\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
HUNDRED = json.loads("[" * 100 + "]" * 100)
SOAP_11, SOAP_12 = b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
SHOWN = f"<ValidateData>{SECRET}</ValidateData>"
NUMBER = b'{"Id": "1", "ES": 0, "EventDesc": "x", "Range": {"Longitude": %b, "Latitude": 1}}'

Bad = dict[str, tuple[Push, str]]
"""What is wrong: the push, and the reason the journal must give."""

AT_THE_HOTLINES_DOOR: Bad = {
    "an empty body": (raw(HOTLINE, b"", FORM), "unreadable"),
    "an empty body of no type": (raw(HOTLINE, b""), "unreadable"),
    "no type": (raw(HOTLINE, TICKET), "unreadable"),
    "no boundary": (raw(HOTLINE, TICKET, "multipart/form-data"), "unreadable"),
    "another boundary": (raw(HOTLINE, TICKET, FORM + "x"), "unreadable"),
    "a form that breaks off": (raw(HOTLINE, TICKET[:-30], FORM), "unreadable"),
    "another part": (part(text_of(ticket()).encode(), name="param"), "unreadable"),
    "the part twice": (raw(HOTLINE, TICKET.replace(b"------cns--\r\n", b"") + TICKET, FORM), "unreadable"),
    "a thousand parts": (raw(HOTLINE, OTHER_PART * 1000 + TICKET, FORM), "unreadable"),
    "GBK for UTF-8": (part(text_of(ticket()).encode("gbk")), "unreadable"),
    "UTF-16": (part(text_of(ticket()).encode("utf-16")), "unreadable"),
    "half a character": (part(text_of(ticket()).encode()[:-3] + b"\xe4\xbd"), "unreadable"),
    "JSON that breaks off": (part(text_of(ticket()).encode()[:-1]), "unreadable"),
    "NaN": (part(b'{"params": NaN, "token": "x"}'), "unreadable"),
    "a lone surrogate": (part(b'{"params": {"taskGuid": "\\ud800"}}'), "unreadable"),
    "XML": (part(b"<params/>"), "unreadable"),
    "NUL as an escape": (part(text_of(ticket(rqstContent="a\0b")).encode()), "unreadable"),
    "NUL as a byte": (part(text_of(ticket()).encode().replace("示例".encode(), b"\0", 1)), "unreadable"),
    "NUL in a name": (part(text_of({**ticket(), "a\0b": 1}).encode()), "unreadable"),
    "brackets without end": (part(b"[" * DEEP), "unreadable"),
    "a very deep document": (part(b'{"params":' + b"[" * DEEP + b"]" * DEEP + b"}"), "unreadable"),
    "a hundred levels": (part(text_of(ticket(extra=HUNDRED)).encode()), "unreadable"),
    "gzip that ends early": (
        raw(HOTLINE, gzip.compress(TICKET)[:-9], FORM, **{"content-encoding": "gzip"}), "unreadable"
    ),
    "a list for a document": (part(b"[1, 2]"), "unauthenticated"),
    "null for a document": (part(b"null"), "unauthenticated"),
    "no token": (part(json.dumps({"params": ticket()}).encode()), "unauthenticated"),
    "an empty token": (hotline(ticket(), ""), "unauthenticated"),
    "a wrong token": (hotline(ticket(), SECRET + "x"), "unauthenticated"),
    "a token in other characters": (hotline(ticket(), "口令"), "unauthenticated"),
    "a token that is a number": (hotline(ticket(), 1), "unauthenticated"),
    "a token that is a list": (hotline(ticket(), [SECRET]), "unauthenticated"),
    "no params": (part(json.dumps({"token": SECRET}).encode()), "unreadable"),
    "params that are a text": (hotline("x"), "contract"),
    "params that are a list": (hotline([ticket()]), "contract"),
    "no status": (hotline(without(ticket(), "cstatus")), "contract"),
    "a status nobody agreed": (hotline(ticket(cstatus="77")), "unknown_message"),
    "a status that is a list": (hotline(ticket(cstatus=["35"])), "contract"),
    "no id": (hotline(without(ticket(), "taskGuid")), "contract"),
    "an empty id": (hotline(ticket(taskGuid="")), "contract"),
    "an id of blanks": (hotline(ticket(taskGuid="   ")), "contract"),
    "an id too long": (hotline(ticket(taskGuid="x" * 65)), "contract"),
    "an id that is a number": (hotline(ticket(taskGuid=7)), "contract"),
    "no text": (hotline(without(ticket(), "rqstContent")), "contract"),
    "a text too long": (hotline(ticket(rqstContent="长" * 20_001)), "contract"),
    "a text that is a document": (hotline(ticket(rqstContent={"a": 1})), "contract"),
    "another spelling of time": (hotline(ticket(rqstTime="16/03/2026")), "contract"),
    "a day that is none": (hotline(ticket(rqstTime="2026-02-30 10:00:00")), "contract"),
    "a far future": (hotline(ticket(rqstTime="2099-01-01 00:00:00")), "implausible"),
    "a far past": (hotline(ticket(rqstTime="1949-10-01 15:00:00")), "implausible"),
    "a limit without unit": (hotline(ticket(finishLimit={"value": "5"})), "contract"),
    "a limit that is no number": (hotline(ticket(finishLimit={"value": "five", "unit": "2"})), "contract"),
    "a negative limit": (hotline(ticket(finishLimit={"value": "-5", "unit": "2"})), "contract"),
    "attachments that are a text": (hotline(ticket(attachList="x")), "contract"),
    "an unknown class": (hotline(ticket(accordType="9x99")), "unmapped_code"),
    "an unknown urgency": (hotline(ticket(isImpt="77")), "unmapped_code"),
    "an unknown unit": (hotline(ticket(finishLimit={"value": "5", "unit": "9"})), "unmapped_code"),
    "an unknown share": (hotline(ticket(taskType="77")), "unmapped_code"),
    "news of nobody's case": (hotline({"taskGuid": "t-none", "rowGuid": "r-none", "cstatus": "100"}), "unknown_case"),
    "ten megabytes": (hotline(ticket(rqstContent="x" * 10 * MEGABYTE)), "too_large"),
    "ten megabytes of nothing": (raw(HOTLINE, b"\0" * 10 * MEGABYTE), "too_large"),
}  # fmt: skip

AT_THE_URBAN_PLATFORMS_DOOR: Bad = {
    "an empty body": (raw(URBAN, b"", XML), "unreadable"),
    "no XML": (raw(URBAN, b"hello", XML), "unreadable"),
    "XML that breaks off": (raw(URBAN, status("x", "A").body[:-20], XML), "unreadable"),
    "two roots": (raw(URBAN, status("x", "A").body * 2, XML), "unreadable"),
    "no envelope": (raw(URBAN, b"<a/>", XML), "unreadable"),
    "an envelope without a body": (raw(URBAN, b'<e:Envelope xmlns:e="%b"/>' % SOAP_11, XML), "unreadable"),
    "an empty envelope": (soap(""), "unreadable"),
    "another operation": (soap('<DropEverything xmlns="http://tempuri.org/"/>'), "unknown_message"),
    "GBK for UTF-8": (raw(URBAN, status("x", "F", "已处置").body.decode().encode("gbk"), XML), "unreadable"),
    "UTF-16": (raw(URBAN, status("x", "F").body.decode().encode("utf-16"), XML), "unreadable"),
    "a DTD": (callback("<caseguid>x</caseguid>", head="<!DOCTYPE x>"), "unreadable"),
    "a billion laughs": (callback("<caseguid>&i;</caseguid>", head=LAUGHS), "unreadable"),
    "a file as an entity": (callback("<caseguid>&e;</caseguid>", head=FILE_ENTITY), "unreadable"),
    "an entity nobody declared": (callback("<caseguid>&x;</caseguid>"), "unreadable"),
    "NUL as a reference": (callback("<caseguid>&#0;</caseguid>"), "unreadable"),
    "NUL as a byte": (callback("<caseguid>\0</caseguid>"), "unreadable"),
    "a very deep document": (callback("<a>" * 10_000 + "</a>" * 10_000), "unreadable"),
    "a hundred levels": (callback("<a>" * 100 + "</a>" * 100), "unreadable"),
    "no arguments": (callback(""), "unauthenticated"),
    "no secret": (callback("<caseguid>x</caseguid><status>A</status>"), "unauthenticated"),
    "a wrong secret": (status("x", "A", token=SECRET + "x"), "unauthenticated"),
    "a secret in other characters": (status("x", "A", token="口令"), "unauthenticated"),
    "the secret twice": (callback(SHOWN * 2), "unauthenticated"),
    "no id": (callback(f"<status>A</status>{SHOWN}"), "contract"),
    "an empty id": (status("", "A"), "contract"),
    "an id of blanks": (status("   ", "A"), "contract"),
    "an id too long": (status("x" * 65, "A"), "contract"),
    "the id twice": (callback(f"<caseguid>x</caseguid><caseguid>y</caseguid><status>A</status>{SHOWN}"), "contract"),
    "a document for an id": (callback(f"<caseguid><a>x</a></caseguid><status>A</status>{SHOWN}"), "contract"),
    "no status": (status("x", ""), "contract"),
    "a reason too long": (status("x", "B", "长" * 4001), "contract"),
    "an unknown status": (status("x", "Q"), "unmapped_code"),
    "a callback for nobody's case": (status("none", "A"), "unknown_case"),
    "a callback for a number never given": (status("34022026052000001-1", "F"), "unknown_case"),
    "ten megabytes": (status("x", "B", "x" * 10 * MEGABYTE), "too_large"),
}  # fmt: skip

AT_THE_GRID_PLATFORMS_DOOR: Bad = {
    "an empty body": (raw(GRID, b"", JSON), "unreadable"),
    "no JSON": (raw(GRID, b"hello", JSON), "unreadable"),
    "JSON that breaks off": (raw(GRID, grid(record()).body[:-1], JSON), "unreadable"),
    "GBK for UTF-8": (raw(GRID, grid(record()).body.decode().encode("gbk"), JSON), "unreadable"),
    "UTF-16": (raw(GRID, grid(record()).body.decode().encode("utf-16"), JSON), "unreadable"),
    "NUL as an escape": (grid(record(EventDesc="a\0b")), "unreadable"),
    "a lone surrogate": (raw(GRID, b'{"Id": "\\udfff", "ES": 0, "EventDesc": "x"}', JSON), "unreadable"),
    "infinity": (raw(GRID, NUMBER % b"Infinity", JSON), "unreadable"),
    "a number beyond all": (raw(GRID, NUMBER % b"1e999", JSON), "unreadable"),
    "a very deep document": (raw(GRID, b"[" * DEEP + b"]" * DEEP, JSON), "unreadable"),
    "a form": (raw(GRID, b"a=b", "application/x-www-form-urlencoded"), "unreadable"),
    "no token": (Push(GRID, grid(record()).body, {"content-type": JSON}), "unauthenticated"),
    "a wrong token": (grid(record(), SECRET[:-1]), "unauthenticated"),
    "a token with more behind it": (grid(record(), SECRET + ", " + SECRET), "unauthenticated"),
    "a list": (grid([record()]), "contract"),
    "null": (grid(None), "contract"),
    "no id": (grid(without(record(), "Id")), "contract"),
    "an empty id": (grid(record(Id="")), "contract"),
    "an id that is a fraction": (grid(record(Id=1.5)), "contract"),
    "an id that is true": (grid(record(Id=True)), "contract"),
    "no text": (grid(record(EventDesc=None)), "contract"),
    "no state": (grid(without(record(), "ES")), "contract"),
    "photos that are a text": (grid(record(EventPhotos="x")), "contract"),
    "a place that is a text": (grid(record(Range="118.38,31.36")), "contract"),
    "a coordinate that is a word": (grid(record(Range={"Longitude": "east", "Latitude": "31"})), "contract"),
    "a coordinate beyond all": (grid(record(Range={"Longitude": 1e300, "Latitude": 1e300})), "contract"),
    "a coordinate that is NaN": (grid(record(Range={"Longitude": "nan", "Latitude": "31"})), "contract"),
    "half a coordinate": (grid(record(Range={"Longitude": 118.38})), "contract"),
    "a day that is none": (grid(record(CDate="2026/2/30 1:2:3")), "contract"),
    "another spelling of time": (grid(record(CDate="yesterday")), "contract"),
    "a far future": (grid(record(CDate="2099/1/1 0:0:0")), "implausible"),
    "a far past": (grid(record(CDate="1949/10/1 15:0:0")), "implausible"),
    "the first year": (grid(record(CDate="0001/1/1 0:0:0")), "implausible"),
    "an unknown class": (grid(record(BCategoryId="77")), "unmapped_code"),
    "an unknown state": (grid(record(ES=77)), "unmapped_code"),
    "ten megabytes": (grid(record(EventDesc="x" * 10 * MEGABYTE)), "too_large"),
}  # fmt: skip

BAD: dict[str, Bad] = {
    HOTLINE: AT_THE_HOTLINES_DOOR, URBAN: AT_THE_URBAN_PLATFORMS_DOOR, GRID: AT_THE_GRID_PLATFORMS_DOOR,
}  # fmt: skip
DEFERRED = {"unmapped_code": "quarantined"}


@pytest.mark.parametrize("system", BAD)
def test_bad_input_gets_the_contracts_own_error_and_one_journal_row_and_leaves_nothing_else(
    hub: HubUnderTest, system: str
) -> None:
    found: dict[str, str] = {}
    for number, (what, (push, _)) in enumerate(BAD[system].items(), start=1):
        answer = push.to(hub)
        row = last_row(hub)
        found[what] = row["why"]
        assert row["verdict"] == DEFERRED.get(row["why"], "refused"), what
        assert told(system, answer) == refusal(system, row["why"], row["text"]), what
        assert (row["system"], row["direction"], row["case_id"]) == (system, "in", None), what
        kept = push.body if len(push.body) <= MEGABYTE else push.body[: 64 * 1024]
        assert row["body"] == kept, what
        assert NAME not in answer.text + row["text"], what
        assert PHONE not in answer.text + row["text"], what
        assert hub.counts() == {"message": number, "cases": 0, "event": 0, "binding": 0, "delivery": 0}, what

    assert found == {what: why for what, (_, why) in BAD[system].items()}
    if system != URBAN:  # which reports nothing through its door
        assert told(system, good(system, "50009").to(hub)) == ACCEPTED[system]
        assert hub.counts()["cases"] == 1
    books = hub.summary()
    assert books["balance"]["holds"], books
    assert set(hub.orphans().values()) == {0}
