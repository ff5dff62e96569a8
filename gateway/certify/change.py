"""How a good message is spoiled: one function a change, by the name scenarios.yaml uses. Pure; nothing is sent here."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from canonical.errors import Unacceptable, Why
from canonical.message import Message
from canonical.reading import Reading
from gateway.certify.material import Material, Play
from gateway.certify.moment import rewritten
from gateway.certify.signer import checks_of, replaced
from gateway.certify.single import decoded, without

CORRECTED = "（更正）"
DEAD_LINK = "http://127.0.0.1:9/dead-link.jpg"
"""Port 9 is nobody."""
HUGE_FILE = "huge.jpg"
"""On the server of the bench; larger than any file that is kept."""
_MISSING = 12
"""Members left out at most, one message each."""


class CannotChange(Exception):
    """The bench cannot do it with this platform's message; the text says why, in Chinese and English."""


class NoSuchThing(CannotChange):
    """The platform has nothing of the kind, so there is nothing to play."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a change works on."""

    material: Material
    play: Play
    message: Message
    """The play's message under fresh ids."""
    now: datetime
    files_url: str
    """Where the bench serves files."""


_UNSIGNED = frozenset({"wrong_secret", "cut_short", "noise"})
"""Changes after which nobody could sign, or that sign by themselves."""
Change = Callable[[Given], Iterator[Message]]


def changed(name: str, given: Given) -> list[Message]:
    """The message, or messages, of a change, signed again where that is not what is wrong. Raises CannotChange."""
    made = list(_CHANGES[name](given)) if name else [given.message]
    if name in _UNSIGNED:
        return made
    return [given.material.signer.signed(one, given.now) for one in made]


def _text(given: Given) -> str:
    return _decoded(given)[0]


def _decoded(given: Given) -> tuple[str, str]:
    """The message as text, and its charset."""
    try:
        return decoded(given.message.body)
    except UnicodeDecodeError:
        raise CannotChange("报文不是文本 | the message is no text") from None


def _put(given: Given, old: str, new: str, what: str) -> Message:
    text, charset = _decoded(given)
    if not old or old not in text:
        raise CannotChange(f"样例里没有{what} | the sample does not hold it as it is read: {what}")
    return replace(given.message, body=text.replace(old, new).encode(charset))


def _other_words(given: Given) -> Iterator[Message]:
    words = given.play.raw("report.description") or given.play.raw("report.title")
    made = _put(given, words, words[: max(len(words) - len(CORRECTED), 1)] + CORRECTED, "描述 description")
    read = given.material.system.read(given.material.signer.signed(made, made.at))
    if any(isinstance(one, Unacceptable) and one.why is Why.UNMAPPED_CODE for one in read):
        raise NoSuchThing("描述来自代码，不能改字 | the description comes from a code: its words cannot be others")
    if any(isinstance(one, Unacceptable) for one in read):
        raise NoSuchThing("描述不是原文，不能改字 | the description is made, not told: its words cannot be others")
    before = given.material.system.read(given.material.signer.signed(given.message, given.message.at))
    if [_id(one) for one in before] != [_id(one) for one in read]:
        raise NoSuchThing("编号由内容得出 | the id is made of the words: other words are another message")
    yield made


def _id(one: Reading | Unacceptable) -> str:
    return one.external_id if isinstance(one, Reading) else ""


def _gb18030(given: Given) -> Iterator[Message]:
    """The same text in the charset of older platforms, said where the transport says it."""
    message, (text, charset) = given.message, _decoded(given)
    if charset == "gb18030" and not text.isascii():
        yield message  # it is sent so anyway
        return
    head, kind = text[:100].lower(), _without_charset(message.content_type)
    if "encoding=" in head:
        text = text[:100].replace("UTF-8", "GB18030").replace("utf-8", "GB18030") + text[100:]
    made = replace(message, body=text.encode("gb18030"), content_type=f"{kind}; charset=GB18030")
    if given.message.door in given.material.declared.pulls:  # the list is in it, not its items: the hub will tell
        yield made
        return
    read = given.material.system.read(made)
    if read != given.material.system.read(message):
        raise NoSuchThing("声明只收 UTF-8 | the declaration takes UTF-8 only")
    yield made


def _without_charset(content_type: str) -> str:
    """What else stands there, such as the boundary of a form, stays."""
    parts = content_type.split(";")
    return ";".join(one for one in parts if not one.strip().lower().startswith("charset="))


def _cut_short(given: Given) -> Iterator[Message]:
    body = given.message.body
    yield replace(given.message, body=body[: len(body) // 2])


def _noise(given: Given) -> Iterator[Message]:
    for body in (b"\xff\xfe\x00<{[", b"", bytes(range(256)), b"[" * 5000, b'{"a":'):
        yield replace(given.message, body=body)


def _oversize(given: Given) -> Iterator[Message]:
    door = given.material.declared.doors[given.message.door]
    missing = door.max_bytes + 1 - len(given.message.body)
    yield replace(given.message, body=given.message.body + b" " * max(missing, 1))


def _wrong_secret(given: Given) -> Iterator[Message]:
    """Shown, and signed, with secrets that are not those of the run."""
    signer = given.material.signer
    wrong = {name: "x" * len(value) for name, value in signer.secrets.items()}
    made = signer.signed(given.message, given.now)
    right = made
    for name, value in wrong.items():
        made = replaced(made, signer.secrets[name], value)
    made = replace(signer, secrets=wrong).signed(made, given.now)
    if made == right:  # signed by a private key that nobody here has
        made = signer.spoiled(made)
    if made == right and not checks_of(given.material.declared.doors[given.message.door].authenticate):
        raise NoSuchThing("门不查密钥, 谁够得着就能上报 | the door asks for no secret: whoever reaches it can report")
    if made == right:
        raise CannotChange("演练台不能出示错的密钥 | the bench cannot show a wrong secret")
    yield made


def _required(given: Given) -> list[str]:
    folder = given.material.folder
    from adapters.yaml_file import read_yaml

    file = read_yaml(folder / "messages" / f"{given.play.reading.kind}.yaml", [], name="message")
    contract = json.loads((folder / "contract" / str(file.data["contract"])).read_text("utf-8")) if file else {}
    return [str(name) for name in contract.get("required", [])]


def _document(given: Given, wanted: list[str]) -> tuple[Any, dict[str, Any]]:
    """The message as JSON, and the object in it that the contract speaks of."""
    try:
        whole = json.loads(_text(given))
    except ValueError:
        raise CannotChange("报文不是 JSON | the message is not JSON") from None
    waiting = [whole]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            if wanted and all(name in one for name in wanted):
                return whole, one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    raise NoSuchThing("契约没有必填成员 | the contract requires no member")


def _json(message: Message, document: object) -> Message:
    return replace(message, body=json.dumps(document, ensure_ascii=False).encode())


def _missing(given: Given) -> Iterator[Message]:
    """Without one member that the contract requires, of a message in any form that can be taken apart."""
    wanted = _required(given)
    if not wanted:
        raise NoSuchThing("契约没有必填成员 | the contract requires no member")
    if _is_json(given):
        whole, inside = _document(given, wanted)
        for name in wanted[:_MISSING]:
            kept = inside.pop(name)
            yield _json(given.message, whole)
            inside[name] = kept
        return
    made = [one for name in wanted[:_MISSING] if (one := _without(given, name))]
    if not made:
        raise NoSuchThing(
            "报文是密文或压缩包, 拆不出成员 | the message is sealed or packed: it has no members to leave out"
        )
    yield from made


def _is_json(given: Given) -> bool:
    return given.message.body.lstrip()[:1] in (b"{", b"[")


def _without(given: Given, name: str) -> Message | None:
    """XML without an element, a form without a field, a table of text without a column."""
    try:
        text, charset = decoded(given.message.body)
    except UnicodeDecodeError:
        return None
    tag = rf"(?:\w+:)?{re.escape(name.lstrip('@'))}"
    patterns = (
        rf"<{tag}(?:\s[^>]*)?>.*?</{tag}>",
        rf"<{tag}(?:\s[^>]*)?/>",
        rf"(?:(?<=^)|(?<=&)){re.escape(name)}=[^&]*&?",
    )
    for pattern in patterns:
        left = re.sub(pattern, "", text, flags=re.DOTALL)
        if left != text:
            return replace(given.message, body=left.encode(charset))
    return without(given.message, name)


def _extra(given: Given) -> Iterator[Message]:
    whole, inside = _document(given, _required(given))
    inside["unexpectedMember"] = {"of": ["another", "release"]}
    yield _json(given.message, whole)


def _at(given: Given, at: datetime) -> Message:
    report = given.play.reading.report
    stated = report.reported_at if report else None
    raw = given.play.raw("report.reported_at")
    if stated is None or not raw:
        raise NoSuchThing("样例没有上报时间 | the sample states no time")
    if told := rewritten(raw, stated, at):
        return _put(given, raw, told, "上报时间 time")
    raise CannotChange("上报时间的写法不能改写 | the time's form cannot be rewritten")


def _tomorrow(given: Given) -> Iterator[Message]:
    yield _at(given, given.now + timedelta(days=1))


def _decades_ago(given: Given) -> Iterator[Message]:
    yield _at(given, given.now - timedelta(days=30 * 365))


def _dead_link(given: Given) -> Iterator[Message]:
    yield _linked(given, DEAD_LINK)


def _huge_file(given: Given) -> Iterator[Message]:
    yield _linked(given, f"{given.files_url}/{HUGE_FILE}")


def _linked(given: Given, url: str) -> Message:
    report = given.play.reading.report
    link = next((one.url for one in report.attachments if one.url), "") if report else ""
    if not link:
        raise NoSuchThing("样例没有附件链接 | the sample holds no link to a file")
    made = replaced(given.message, link, url)
    if made == given.message:
        raise CannotChange("附件链接不是原文 | the link to the file is made of what the message says")
    return made


_CHANGES: dict[str, Change] = {
    "other_words": _other_words, "gb18030": _gb18030, "cut_short": _cut_short, "noise": _noise, "oversize": _oversize,
    "wrong_secret": _wrong_secret, "missing": _missing, "extra": _extra, "tomorrow": _tomorrow,
    "decades_ago": _decades_ago, "dead_link": _dead_link, "huge_file": _huge_file,
}  # fmt: skip
