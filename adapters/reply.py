"""What the other side is answered, in its own envelope, and the handshakes a door answers by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.charset import contradiction
from adapters.condition import compile_condition
from adapters.path import ANYTHING, Get, put_member
from adapters.reply_declaration import ReplyDeclaration, ReplyRow
from adapters.rule import compile_rule, compile_tree
from adapters.scope import Scope
from adapters.shape_json import write_json
from adapters.shape_xml import MEDIA_TYPES, soap_body, soap_fault, version_of, xml_text
from adapters.value import as_text, text_at
from adapters.yaml_file import Where
from canonical.errors import HubError, Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome

_NO_HEADER = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
"""What no header can carry."""
_NUMBER_BITS = 0x7FFFFFFF
WORDS: Mapping[Why, str] = {
    Why.UNREADABLE: "报文无法解析",
    Why.TOO_LARGE: "报文过大",
    Why.UNAUTHENTICATED: "身份验证失败",
    Why.CONTRACT: "报文不符合接口约定",
    Why.UNMAPPED_CODE: "代码未在对照表中，已暂存待补充",
    Why.IMPLAUSIBLE: "时间不合理",
    Why.UNKNOWN_CASE: "没有对应的案件",
    Why.NOT_ALLOWED: "案件当前状态不允许该操作",
    Why.UNKNOWN_MESSAGE: "不支持的报文",
    Why.NOT_TAKEN: "未受理",
}
"""What a source is told, where its declaration has no words of its own."""
REPLY_NAMES: Mapping[str, Any] = {
    name: {} for name in ("words", "text", "case_no", "why", "verdict", "number", "status", "now", "external_id")
} | {
    "request": ANYTHING,
    "outcomes": {"[]": {n: {} for n in ("verdict", "case_no", "why", "text", "words", "external_id", "accepted")}},
    "body": ANYTHING,
    "sealed": {"body": {}},
}
"""What a reply's body may use. `request` is the document as it came, `outcomes` one entry for each message in it;
`external_id` beside them is that of the only message, and empty where there were several."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side is answered."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    trouble: str = ""
    """Why its declared envelope could not be filled; what stands here instead says the verdict alone."""


@dataclass(frozen=True, slots=True)
class _ReplyPlan:
    declared: ReplyRow
    when: Get
    body: Get

    def fits(self, outcome: Outcome, values: Mapping[str, Any]) -> bool:
        row = self.declared
        return (
            (not row.verdict or outcome.verdict in row.verdict)
            and (not row.why or outcome.why in row.why)
            and (row.when is None or self.when(values) is True)
        )


@dataclass(frozen=True, slots=True)
class ReplyPlans:
    """The envelopes of one door."""

    declared: ReplyDeclaration
    rows: tuple[_ReplyPlan, ...]
    seal: Mapping[str, Get]
    headers: Mapping[str, Get]
    charset: str
    reads: bool
    """True when an envelope tells something of the request."""

    def reply(
        self, message: Message, outcome: Outcome, request: object = None, outcomes: Sequence[tuple[str, Outcome]] = ()
    ) -> Reply:  # fmt: skip
        """The first envelope that fits, filled. `outcomes`: (external id, outcome) of each message that was in it."""
        told = outcomes or [("", outcome)]
        only = told[0][0] if len(told) == 1 else ""
        values = self._told(only, outcome) | {
            "number": message.id.int & _NUMBER_BITS, "now": message.at, "request": request or {},
            "outcomes": [self._told(key, one) for key, one in told],
        }  # fmt: skip
        plan = next(row for row in self.rows if row.fits(outcome, values))
        try:
            version = version_of(message.body, message.content_type) or self.declared.version
            content_type, body = self._sealed(plan, values, version)
            return Reply(plan.declared.status, content_type, body, self._headers(values, body))
        except HubError as error:  # all is committed: the source must not hear that it failed
            bare = write_json({name: values[name] for name in ("verdict", "case_no", "why")}, "utf-8")
            return Reply(plan.declared.status, "application/json", bare, {}, trouble=str(error))

    def _told(self, key: str, outcome: Outcome) -> dict[str, Any]:
        words = (self.declared.words.get(outcome.why) or WORDS[outcome.why]) if outcome.why else ""
        return {
            "words": words, "text": outcome.text, "case_no": outcome.case_no, "why": str(outcome.why or ""),
            "verdict": str(outcome.verdict), "external_id": key, "accepted": "no" if outcome.why else "yes",
        }  # fmt: skip

    def _headers(self, values: Mapping[str, Any], body: bytes) -> dict[str, str]:
        known = {**values, "sealed": {"body": body}}
        texts = {name: text_at(get(known), f"headers.{name}") for name, get in self.headers.items()}
        return {name: _NO_HEADER.sub("", text) for name, text in texts.items() if text}

    def _sealed(self, plan: _ReplyPlan, values: dict[str, Any], version: str) -> tuple[str, bytes]:
        body = values["body"] = plan.body(values)
        for name, get in self.seal.items() if isinstance(body, dict) else ():
            put_member(body, name, get(values))
        if plan.declared.fault:
            return _soap_type(version), soap_fault(plan.declared.fault, as_text(body), version, self.declared.prefix)
        kind, element = plan.declared.format or self.declared.format, plan.declared.element or self.declared.element
        if kind == "soap":  # in the version it was asked in
            said = self.declared.content_type or _soap_type(version)
            return said, soap_body(self.declared.namespace, element, body, version, self.declared.prefix)
        return envelope(kind, body, self.declared, self.charset, element)


def _soap_type(version: str) -> str:
    return f"{MEDIA_TYPES[version]}; charset=utf-8"


def envelope(
    kind: str, body: object, declared: Any, charset: str, element: str = ""  # noqa: ANN401 a reply or a handshake
) -> tuple[str, bytes]:  # fmt: skip
    """(content type, bytes) of a body in one of the declared formats but SOAP."""
    charset = "utf-8" if charset == "auto" else charset
    namespace, said = getattr(declared, "namespace", ""), getattr(declared, "content_type", "")
    if kind == "xml":
        text = xml_text(element or declared.element, body, charset.upper(), namespace)
        return said or f"text/xml; charset={charset}", text.encode(charset, "xmlcharrefreplace")
    if kind == "text":
        return said or f"text/plain; charset={charset}", as_text(body).encode(charset, "replace")
    return said or f"application/json; charset={charset}", write_json(body, charset)


_VERDICTS = frozenset(Verdict) - {Verdict.WAITING, Verdict.ACKNOWLEDGED, Verdict.PARKED}
_VALUES: Mapping[str, Sequence[str]] = {
    "verdict": tuple(_VERDICTS),
    "why": tuple(Why),
}
"""What a table over these must know, or the rest by `*`."""


def compile_reply(declared: ReplyDeclaration, scope: Scope, where: Where, charset: str) -> ReplyPlans:
    """Compile a door's envelopes; every verdict and reason must find one."""
    scope = replace(scope, names=REPLY_NAMES, values=_VALUES, writing=True, context=set())
    rows = tuple(
        _ReplyPlan(
            row,
            compile_condition(row.when, scope, (*where, "rows", index, "when")) if row.when else lambda _values: True,
            compile_tree(row.body, scope, (*where, "rows", index, "body")),
        )
        for index, row in enumerate(declared.rows)
    )
    cases = [(verdict, why) for verdict in _VERDICTS for why in (None, *Why)]
    certain = [row for row in rows if row.declared.when is None]
    unanswered = {f"{v}/{w}" for v, w in cases if not any(row.fits(Outcome(v, why=w), {}) for row in certain)}
    if unanswered:
        text = f"no row fits {', '.join(sorted(unanswered)[:5])}; end with a row without verdict, why and when"
        scope.wrong((*where, "rows"), text)
    kinds = {declared.format, *(row.format for row in declared.rows)}
    named = declared.element or all(row.element or row.fault for row in declared.rows)
    if "soap" in kinds and not (named and declared.namespace):
        scope.wrong(where, "a SOAP reply needs element and namespace")
    if kinds != {"soap"} and (stated := contradiction(declared.content_type, charset)):
        text = f"says charset {stated}, and the reply is written in {charset}: add charset: {stated} to the door"
        scope.wrong((*where, "content_type"), text)
    if "xml" in kinds and not named:
        scope.wrong(where, "an XML reply needs its root: element")
    if declared.seal and kinds - {"json", None}:
        scope.wrong((*where, "seal"), "only an object of JSON can get further members")
    seal, headers = (
        {name: compile_rule(node, scope, (*where, key, name)) for name, node in getattr(declared, key).items()}
        for key in ("seal", "headers")
    )
    reads = "request" in repr((declared.rows, declared.headers, declared.seal))
    return ReplyPlans(declared, rows, seal, headers, charset, reads)
