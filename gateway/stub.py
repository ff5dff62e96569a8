"""The other side of any declared folder, so that a newcomer sees the whole loop before the vendor has a test system.

It takes every declared outbound message, holds it to its contract, shows it masked, and answers what the folder's own
`answers` judge accepted. Pulls are served from samples. It knows what the folder says and nothing of any vendor.
"""

import email
import email.policy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from lxml import etree

from adapters import System
from adapters.declaration import SystemDeclaration
from adapters.message_declaration import OutboundDeclaration
from adapters.rule import is_rule
from adapters.samples import ID, NOW, inbound_samples
from adapters.shape_json import read_json
from adapters.shape_xml import read_xml
from adapters.trace import paths_of
from adapters.value import as_list
from adapters.yaml_file import read_yaml
from canonical.errors import HubError, Misconfigured, Unacceptable
from canonical.message import Message
from gateway.hub import fresh_id
from gateway.stub_answer import Answered, NoAnswer, accepted, example_asked, more_of, stored
from gateway.stub_before import read_later
from gateway.trial import shown

_LARGEST = 32 << 20
_SECRET = re.compile(r"token|secret|password|passwd|sign|app_?key|access_?key", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_FORM = "application/x-www-form-urlencoded"
_URL = "%/:?[]@!$&'()*+,;=-._~"
"""What stays as it is in a path on its way."""
_LONGEST = 2000
"""Characters of one value that are shown: a picture in base64 is no use to a reader."""
CUT = 0
"""As a status: the line is cut, and no answer comes."""
_PAGES = 200
"""Pages looked at to find the one that is asked for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One request and what became of it."""

    method: str
    path: str
    message: str
    """Name of the declared message; empty when none is."""
    title: str
    trouble: str
    """What is wrong with it; empty when nothing is."""
    body: Any
    """Masked, as document where it opens."""
    status: int


@dataclass(frozen=True, slots=True)
class Route:
    """One declared message and where it arrives."""

    name: str
    declared: OutboundDeclaration
    pattern: re.Pattern[str]
    query: Mapping[str, str]
    operation: str
    literal: int
    """How much of its path is fixed: the more, the surer."""

    def fits(self, method: str, path: str, query: Mapping[str, str], operation: str) -> bool:
        """True when the request may be this message."""
        if self.operation:
            return self.operation == operation and method == "POST" and bool(self.pattern.fullmatch(path))
        asked = all(query.get(name) == value for name, value in self.query.items())
        return method == self.declared.method and asked and bool(self.pattern.fullmatch(path))


class Stub:
    """The other side of one folder. Raises Misconfigured when it cannot be played."""

    def __init__(self, folder: Path, system: System) -> None:
        file = read_yaml(folder / "system.yaml", [], name="system.yaml")
        self.declared = SystemDeclaration.model_validate(file.data if file else {})
        if system.connector.protocol not in {"http", "soap"}:
            raise Misconfigured(
                f"{folder.name}: what is sent goes by {system.connector.protocol}, and only HTTP and SOAP are played"
                " here; use a broker, a folder or a database of your own 只模拟 HTTP 和 SOAP"
            )
        self.folder, self.system = folder, system
        found = [_route(name, plan.declared) for name, (plan, _) in system.writers.items()]
        tells = {str(party): set(messages.values()) for party, messages in system.role.tells.items()}
        called = tells.pop("joint", set()).difference(*tells.values())
        # Of two that nothing tells apart on the wire, the one for a whole case comes before that for a called unit.
        self.routes = sorted(found, key=lambda route: (-route.literal, route.name in called))
        if not self.routes:
            raise Misconfigured(f"{folder.name}: declares nothing that is sent or asked: nothing arrives here")
        self._declarations = {name: plan.declared for name, (plan, _) in system.writers.items()}
        self._pulls = {pull.declared.ask: pull.name for pull in system.pulls}
        self._details = {one.declared.detail.ask: one.name for one in system.pulls if one.declared.detail}
        self._counts = {one.declared.count.ask: one.name for one in system.pulls if one.declared.count}
        self._items = {pull.name: list(_sampled(folder, pull.name)) for pull in system.pulls}
        self._number = 0

    def listed(self, pull: str, _asked: Mapping[str, str]) -> list[Any]:
        """The items that a request for a list, its number or one of its items is answered from."""
        return self._items[pull]

    def kept(self, route: Route) -> Answered | None:
        """The sample answer to a message, given as it stands."""
        return stored(self.folder, route.name)

    def troubles(self) -> list[str]:
        """Messages that cannot be answered so that it counts, said before anything comes."""
        told = []
        for route in self.routes:
            try:
                self._answer(route, {}, example_asked(self.declared.answers[route.declared.answer]))
            except Misconfigured as error:
                told.append(str(error))
        return told

    def hear(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answered, Heard]:
        """The answer to a request, and what to show of it."""
        path, _, asked = target.partition("?")
        query = dict(parse_qsl(asked, keep_blank_values=True))
        operation = _operation(body) if self.system.connector.protocol == "soap" else ""
        fitting = [one for one in self.routes if one.fits(method, path, query, operation)]
        route = max(fitting, key=lambda one: self._likeness(one, query, headers, body), default=None)
        if route is None:
            trouble = self._unknown(method, f"{path}#{operation}" if operation else path)
            answer = _wrong(trouble, 404)
            return answer, Heard(method, _masked_path(target), "", "", trouble, None, 404)
        document, trouble = self._document(route, headers, body)
        try:
            answer = self._answer(
                route, _flat(target, headers.get("content-type", ""), body),
                Message(
                    system="", body=body, at=NOW, id=ID, method=method, path=target, content=document,
                    headers={name.lower(): value for name, value in headers.items()},
                ),
            )  # fmt: skip
        except Misconfigured as error:
            trouble = trouble or str(error)
            answer = _wrong(str(error), 501)
        if trouble and answer.status < 400:
            answer = _wrong(trouble, 400)
        told = Heard(
            method, _masked_path(target), route.name, route.declared.title, trouble, _masked(document), answer.status
        )
        return answer, told

    def _likeness(
        self, route: Route, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, int, int]:  # fmt: skip
        """Several messages may share an address: what is fixed in a declaration tells them apart, then its contract."""
        document, trouble = self._document(route, headers, body)
        there = _leaves(document, "") if isinstance(document, dict | list) else {}
        fixed = {place: value for place, value in _leaves(_literal(route.declared.body), "").items() if value != "null"}
        alike = sum(_alike(there.get(place), value) for place, value in fixed.items())
        asked = sum(name in query for name in route.declared.query) - len(set(query) - set(route.declared.query))
        return alike + asked, -bool(trouble), route.literal

    def _unknown(self, method: str, path: str) -> str:
        known = {f"{one.declared.method} {_told_path(one.declared)}": one for one in self.routes}
        near = get_close_matches(f"{method} {path}", known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))
        return f"no declared message is sent to {method} {path}; {hint}"

    def _document(self, route: Route, headers: Mapping[str, str], body: bytes) -> tuple[Any, str]:
        """The body as document, and what is wrong with it by the contract."""
        kind = headers.get("content-type", "")
        try:
            document = _OPEN.get(route.declared.format, _as_text)(body, kind, route.declared) if body else None
        except (Unacceptable, ValueError) as error:
            return None, f"the body does not open as {route.declared.format}: {error}"
        contract = self.system.writers[route.name][0].contract
        if contract is None or route.declared.format not in _CHECKED:
            return document, ""
        try:
            contract.check(document)
        except HubError as error:
            return document, f"breaks contract/{route.declared.contract}: {error}"
        return document, ""

    def _answer(self, route: Route, asked: Mapping[str, str], message: Message) -> Answered:
        if (kept := self.kept(route)) is not None:
            return kept
        if self.system.files and self.system.files.fetch == route.name:
            return Answered(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64) + b"\xff\xd9", "image/jpeg")
        self._number += 1
        answers = self.declared.answers[route.declared.answer]
        make = partial(accepted, self.system, route.name, answers, number=self._number, asked=message)
        if self.system.signing_in and self.system.signing_in.message == route.name:
            return make(more=self._token(), holds=self._signs_in)
        if (pull := self._pulls.get(route.name)) is not None:
            return self._page(pull, asked, make)
        if (pull := self._details.get(route.name)) is not None:
            items = self.listed(pull, asked)[:1]
            return self.detail_of(route, items[0] if items else {}, message)
        if (pull := self._counts.get(route.name)) is not None:
            count = self.system.pull(pull).count
            return make(more={count.path: len(self.listed(pull, asked))} if count else {})
        with suppress(NoAnswer):  # its rows want something else there: then without
            return make(more=self._read_later(route.name))
        return make()

    def _read_later(self, name: str) -> dict[str, str]:
        """What the messages that ask this one first will read in its answer, made up."""
        kinds = {"path": f"/sim/{self._number}", "value": f"SIM-{self._number}"}
        made = {path: kinds[how] for path, how in read_later(name, self._declarations).items()}
        return made | {path: f'"{made[path]}"' for path in made if path == "$headers.etag"}

    def detail_of(self, route: Route, item: Any, message: Message) -> Answered:  # noqa: ANN401
        """The answer that tells everything about one item."""
        detail = self.system.pull(self._details[route.name]).detail
        answers = self.declared.answers[route.declared.answer]
        more = {_one_path(detail.items if detail else "."): item}
        return accepted(self.system, route.name, answers, more=more, number=self._number, asked=message)

    def _token(self) -> dict[str, Any]:
        declared = self.declared.sign_in
        assert declared is not None
        lives = {_one_path(declared.expires_in): 7200} if declared.expires_in is not None else {}
        return {_one_path(declared.token): "stub-token", **lives}

    def _signs_in(self, answer: Answered) -> bool:
        try:
            return bool(self.system.token(answer.message(self.system.role.id)).value)
        except HubError:
            return False

    def _page(self, pull: str, asked: Mapping[str, str], make: Callable[..., Answered]) -> Answered:
        """The page that is asked for, of the samples."""
        declared, items = self.system.pull(pull), self.listed(pull, asked)
        number = self._asked_page(pull, asked)
        start = (number - declared.first_page) * declared.page_size
        rows = items[start : start + declared.page_size]
        left = start + declared.page_size < len(items)
        said: dict[str, Any] = {_one_path(declared.items): rows}
        if declared.total is not None:
            said[_one_path(declared.total)] = len(items)
        if declared.more is not None:
            said |= more_of(declared.more, left=left) or {_one_path(declared.more): left}
        if declared.cursor is not None:
            said[_one_path(declared.cursor)] = str(number + 1) if left else ""

        def holds(answer: Answered) -> bool:
            try:
                page = self.system.page(pull, answer.message("s"), now=NOW, ids=fresh_id, page=number)
            except HubError:
                return False
            return len(page.rows) == len(rows)

        return make(more=said, holds=holds)

    def _asked_page(self, pull: str, asked: Mapping[str, str]) -> int:
        """Which page: the places of the request that change from page to page tell."""
        first = self.system.pull(pull).first_page
        one, two = (self._request(pull, page) for page in (first, first + 1))
        places = [place for place in two if one.get(place) != two[place] and place in asked]
        if not places:
            return first
        for page in range(first, first + _PAGES):
            told = self._request(pull, page)
            if any(told.get(place) == asked[place] for place in places):
                return page
        return first

    def _request(self, pull: str, page: int) -> dict[str, str]:
        first = self.system.pull(pull).first_page
        binding = {"external_id": "X", "case_key": "X", "reference": "X", "visible_no": "X"}
        try:
            message = self.system.ask(
                pull, since=NOW - timedelta(days=1), until=NOW, page=page, now=NOW, id=ID, session="s",
                cursor="" if page == first else str(page), binding=binding,
            )  # fmt: skip
        except HubError:
            return {}
        return _flat(message.path, message.content_type, message.body)


def _route(name: str, declared: OutboundDeclaration) -> Route:
    template, _, operation = _template(declared.path).partition("#")
    path, _, query = template.partition("?")
    pieces = _PLACEHOLDER.split(path)
    expression = "[^/?]+".join(re.escape(quote(piece, safe=_URL)) for piece in pieces) if path != "{}" else ".*"
    fixed = {key: value for key, value in parse_qsl(query) if "{" not in value}
    literal = sum(map(len, pieces)) + 2 * len(fixed)
    return Route(name, declared, re.compile(f"(?:/.*)?{expression}"), fixed, operation, literal)


def _literal(tree: Any) -> Any:  # noqa: ANN401
    """What a declared body says whatever the case: its rules are left out."""
    if is_rule(tree):
        return None
    if isinstance(tree, dict):
        return {key: _literal(below) for key, below in tree.items()}
    return [_literal(below) for below in tree] if isinstance(tree, list) else tree


def _alike(there: str | None, fixed: str) -> int:
    """1 when a fixed value is there, -1 when another one is; numbers may stand as texts in a form."""
    return 1 if there is not None and there.strip('"') == fixed.strip('"') else -1


def _template(path: Any) -> str:  # noqa: ANN401
    """The path with a placeholder wherever a rule decides."""
    if isinstance(path, str):
        return path if path.startswith("/") else f"/{path}"
    if isinstance(path, dict) and isinstance(path.get("text"), str) and path["text"].startswith("/"):
        return str(path["text"])
    if isinstance(path, dict) and isinstance(path.get("of"), list) and str(path["of"][0]).startswith("/"):
        return str(path.get("join", "")).join("{}" if is_rule(one) else str(one) for one in path["of"])
    return "{}"


def _told_path(declared: OutboundDeclaration) -> str:
    told = _template(declared.path)
    return told if told != "{}" else "any path"


def _one_path(rule: Any) -> str:  # noqa: ANN401
    return rule if isinstance(rule, str) else next(iter(paths_of(rule)), ".")


def _sampled(folder: Path, pull: str) -> Iterator[Any]:
    """What the samples of a pull hold, as documents."""
    for sample in inbound_samples(folder):
        if sample.door != pull:
            continue
        with suppress(Unacceptable):
            body = sample.message("s").body
            document = read_xml(body.decode("utf-8", "replace")) if body.lstrip()[:1] == b"<" else read_json(body)
            yield next(iter(document.values())) if body.lstrip()[:1] == b"<" else document


def _wrong(text: str, status: int) -> Answered:
    """What the other side has against a request, in signs that are read alike in every charset."""
    return Answered(json.dumps({"error": text}).encode(), status=status)


def _operation(body: bytes) -> str:
    with suppress(etree.LxmlError, ValueError):
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        for child in root.iterchildren("*"):
            if etree.QName(child).localname == "Body":
                return next((etree.QName(one).localname for one in child.iterchildren("*")), "")
    return ""


# Bodies


def _as_text(body: bytes, _kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    return body.decode("utf-8", "replace")


def _as_json(body: bytes, _kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    return read_json(body)


def _as_part(body: bytes, kind: str, declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    if kind.startswith(_FORM):
        return read_json(dict(parse_qsl(body.decode("ascii", "replace"))).get(declared.part, "").encode())
    return read_json(body.split(b"\r\n\r\n", 1)[-1].rsplit(b"\r\n--", 1)[0])


def _as_fields(body: bytes, _kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    return dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))


def _as_multipart(body: bytes, kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    """The fields of a form; a file as {name, media, content}."""
    whole = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP)
    if not whole.is_multipart():
        raise ValueError("no multipart body")
    document: dict[str, Any] = {}
    for part in whole.iter_parts():
        content = part.get_payload(decode=True)
        given = content if isinstance(content, bytes) else b""
        file = {"name": part.get_filename(), "media": part.get_content_type(), "content": given}
        name = str(part.get_param("name", "", "content-disposition"))
        value = file if part.get_filename() else given.decode("utf-8", "replace")
        document[name] = [*as_list(document[name]), value] if name in document else value
    return document


def _as_bytes(body: bytes, _kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    return body


def _as_xml(body: bytes, _kind: str, _declared: OutboundDeclaration) -> Any:  # noqa: ANN401
    return read_xml(body.decode("utf-8", "replace"))


_OPEN: Mapping[str, Callable[[bytes, str, OutboundDeclaration], Any]] = {
    "json": _as_json, "form": _as_part, "urlencoded": _as_part, "fields": _as_fields, "xml": _as_xml,
    "arguments": _as_xml, "multipart": _as_multipart, "bytes": _as_bytes,
}  # fmt: skip
_CHECKED = frozenset({"json", "form", "urlencoded"})
"""Formats whose values keep their kinds; of the others all are texts, and the hub has checked them before writing."""


def _flat(target: str, kind: str, body: bytes) -> dict[str, str]:
    """Every value of a request by its place."""
    found = {f"?{name}": value for name, value in parse_qsl(target.partition("?")[2], keep_blank_values=True)}
    found |= {f"/{number}": part for number, part in enumerate(target.partition("?")[0].split("/"))}
    if kind.startswith(_FORM):
        pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True)
        return found | {f"={name}": value for name, value in pairs}
    with suppress(Unacceptable):
        found |= _leaves(read_json(body), "")
    return found


def _leaves(value: Any, where: str) -> dict[str, str]:  # noqa: ANN401
    if isinstance(value, dict):
        pairs: Sequence[tuple[object, Any]] = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return {where: json.dumps(value)}
    return {place: one for key, below in pairs for place, one in _leaves(below, f"{where}.{key}").items()}


def _masked(value: Any, hint: str = "") -> Any:  # noqa: ANN401
    """As it may be shown: persons masked, secrets gone."""
    if isinstance(value, dict):
        return {
            key: "***" if _SECRET.search(str(key)) and not isinstance(below, dict | list) else _masked(below, str(key))
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_masked(one, hint) for one in value]
    told = shown(value, hint, plain=False)
    return f"{told[:_LONGEST]}… (+{len(told) - _LONGEST})" if isinstance(told, str) and len(told) > _LONGEST else told


def _masked_path(target: str) -> str:
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    told = "&".join(f"{name}={_masked({name: value})[name]}" for name, value in pairs)
    return str(shown(unquote(path), "", plain=False)) + (f"?{told}" if told else "")


# Serving


def server(stub: Stub, host: str, port: int, tell: Callable[[Heard], None]) -> ThreadingHTTPServer:
    """A server for it, not yet running. Raises Misconfigured when the port cannot be had."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            """Any request."""
            length = self.headers.get("content-length", "0")
            size = int(length) if length.isdigit() else 0
            if size > _LARGEST:
                self.send_error(413)
                return
            body = self.rfile.read(size)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer, heard = stub.hear(self.command, self.path, headers, body)
            tell(heard)
            if answer.status == CUT:
                self.close_connection = True
                return
            with suppress(ConnectionError):
                self.send_response(answer.status)
                for name, value in {**answer.headers, "content-type": answer.content_type}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: what comes is told by `tell`."""

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise Misconfigured(f"{host}:{port} cannot be listened on: {error.strerror}") from None
