"""A first folder for a SOAP platform, made from its WSDL: a message an operation, arguments in order."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from lxml import etree

from adapters.field_names import meaning
from adapters.guessing import Guess
from adapters.scaffold import Scaffold, said
from adapters.wsdl_members import Member, element_named, members_of
from canonical.errors import Misconfigured

_WSDL, _XSD = "{http://schemas.xmlsoap.org/wsdl/}", "{http://www.w3.org/2001/XMLSchema}"
_SOAP_11, _SOAP_12 = "http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"
_VALUES = {
    "external_id": "case.reference",
    "visible_no": "case.reference",
    "title": "case.title",
    "description": "case.description",
    "address": "case.address",
    "x": "case.lon",
    "y": "case.lat",
    "given_area": "case.area",
    "name": "case.reporter.name",
    "phone": "case.reporter.phone",
    "class": "case.class",
}
"""What an argument's name probably wants of a case."""
_WORDS = {"1.1": "Fault.faultstring", "1.2": "Fault.Reason.Text.#text"}
"""Where a fault says what is wrong."""
_STANDARD = frozenset({"www.w3.org", "schemas.xmlsoap.org"})
"""Hosts of schemas that are nobody's own."""
_WITHHELD = ", unless: {case.reporter.withheld: true}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and its arguments, in order."""

    name: str
    arguments: tuple[Member, ...]
    asked: str
    """Element it is called by: often, not always, its name."""
    answer: str
    """Element of its answer."""
    namespace: str
    """Of that element."""
    result: str
    """First member of the answer; empty when it tells nothing."""


def wsdl_scaffold(
    name: str, file: str, data: bytes, *, role: str, serve: bool, beside: Mapping[str, bytes] | None = None
) -> Scaffold:  # fmt: skip
    """The files of folder `name`. `serve`: the platform calls us by it; else we call. Raises Misconfigured.

    `beside`: documents that lie beside it; those it imports are read with it and taken along.
    """
    root, imported = _with_imports(file, data, beside or {})
    operations = list(_operations(root))
    if not operations:
        raise Misconfigured(f"{file}: no operation is declared")
    contract = re.sub(r"[^A-Za-z0-9_.-]", "_", file)
    path = _address(root)
    files = {f"contract/{contract}": data} | {f"contract/{name}": content for name, content in imported.items()}
    if serve:
        files["system.yaml"] = _served(name, operations, contract, role).encode()
        for one in operations:
            files[f"messages/{_file(one)}.yaml"] = _inbound(one).encode()
            files[f"contract/{_file(one)}.schema.json"] = _schema(one)
    else:
        files["system.yaml"] = _called(name, operations, contract, path, role, _version(root)).encode()
        for one in operations:
            files[f"messages/{_file(one)}.yaml"] = _outbound(one, path).encode()
    told = ["fill the arguments, then name the messages in `tells` 填参数, 再在 tells 里写明何时发送"]
    found: dict[str, Guess] = {}
    return Scaffold(files, "", found, tuple(told))


def _with_imports(file: str, data: bytes, beside: Mapping[str, bytes]) -> tuple[etree._Element, dict[str, bytes]]:
    """The document with what it imports below it, and the imported files. Only files beside it are read."""
    root = _root(file, data)
    imported: dict[str, bytes] = {}
    waiting = [root]
    while waiting:
        for stated in _imports(waiting.pop()):
            place = _file_of(stated)
            if place == file or place in imported:
                continue
            if place not in beside:
                raise Misconfigured(
                    f"{file}: imports {stated}, which does not lie beside it: fetch it, and save it as {place}"
                    " 请把导入的文件放在同一文件夹"
                )
            imported[place] = beside[place]
            waiting.append(_parsed(place, beside[place]))
            _merge(root, waiting[-1])
    return root, imported


def _imports(root: etree._Element) -> list[str]:
    found = root.iter(f"{_XSD}import", f"{_XSD}include", f"{_WSDL}import")
    stated = [one.get("schemaLocation") or one.get("location") or "" for one in found]
    return [place for place in stated if place and (urlsplit(place).hostname or "") not in _STANDARD]


def _file_of(stated: str) -> str:
    """`http://host/service?xsd=types.xsd`, as Java platforms state it, lies beside as `types.xsd`."""
    parts = urlsplit(stated)
    return PurePosixPath(parts.query.rpartition("=")[2] or parts.path).name


def _merge(root: etree._Element, other: etree._Element) -> None:
    """Copied, for the other is still walked: a schema as it is, of a WSDL its parts."""
    root.extend(copy.deepcopy(one) for one in ([other] if other.tag == f"{_XSD}schema" else other))


def _root(file: str, data: bytes) -> etree._Element:
    root = _parsed(file, data)
    if root.tag != f"{_WSDL}definitions":
        raise Misconfigured(f"{file}: a WSDL 1.1 document is expected")
    return root


def _parsed(file: str, data: bytes) -> etree._Element:
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise Misconfigured(f"{file}: not well-formed XML: line {error.lineno}") from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _operations(root: etree._Element) -> Iterator[Operation]:
    """Of the first port type; a service often offers the same one twice or thrice."""
    port_type = root.find(f"{_WSDL}portType")
    for operation in port_type.findall(f"{_WSDL}operation") if port_type is not None else []:
        sides = [operation.find(f"{_WSDL}{side}") for side in ("input", "output")]
        taken, given = (_local(side.get("message", "")) if side is not None else "" for side in sides)
        arguments, answer = _members(root, taken), _members(root, given)
        name = operation.get("name", "")
        result = answer[0].name if answer else ""
        told = _element(root, given) or f"{name}Response"
        yield Operation(name, arguments, _element(root, taken) or name, told, _namespace(root, given), result)


def _parts(root: etree._Element, message: str) -> list[etree._Element]:
    found = root.findall(f"{_WSDL}message")
    return next((one.findall(f"{_WSDL}part") for one in found if one.get("name") == message), [])


def _element(root: etree._Element, message: str) -> str:
    return next((_local(part.get("element", "")) for part in _parts(root, message)), "")


def _namespace(root: etree._Element, message: str) -> str:
    """Of a message's element; an rpc answer has the WSDL's own."""
    part = next((part for part in _parts(root, message) if part.get("element")), None)
    prefix = part.get("element", "").rpartition(":")[0] if part is not None else ""
    stated = part.nsmap.get(prefix or None) if part is not None else None
    return str(stated or root.get("targetNamespace", ""))


def _members(root: etree._Element, message: str) -> tuple[Member, ...]:
    """Wrapped: the members of the element; else the parts themselves."""
    parts = _parts(root, message)
    wrapped = next((part for part in parts if part.get("element")), None)
    if wrapped is None:
        return tuple(Member(part.get("name", ""), members=members_of(root, part)) for part in parts)
    declared = element_named(root, wrapped, wrapped.get("element", ""))
    return members_of(root, declared) if declared is not None else ()


def _version(root: etree._Element) -> str:
    """SOAP 1.2 where the WSDL has nothing else."""
    bound = {etree.QName(one).namespace for one in root.iter("*") if etree.QName(one).localname == "binding"}
    return "1.2" if _SOAP_12 in bound and _SOAP_11 not in bound else "1.1"


def _address(root: etree._Element) -> str:
    """URL path of the first port."""
    for port in root.iter(f"{_WSDL}port"):
        for child in port:
            if isinstance(child.tag, str) and child.tag.endswith("}address"):
                return urlsplit(child.get("location", "")).path or "/"
    return "/"


def _file(operation: Operation) -> str:
    """`CG_PostCase` -> `cg_post_case`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation.name)
    return re.sub(r"[^a-z0-9_]+", "_", snake.lower()).strip("_") or "operation"


def _outbound(operation: Operation, path: str) -> str:
    lines = [
        f"# {operation.name}: 由 WSDL 生成, 参数按其次序; 填好后在 system.yaml 的 tells 里使用。",
        "direction: out",
        f"title: {said(operation.name)}",
        "repeat: never  # 猜测 guess: 没有回音时不能重发, 除非对方按编号去重 ask whether it may be sent twice",
        f"path: {said(f'{path}#{operation.name}')}",
        "format: arguments",
        f"answer: {_file(operation)}",
        "body:" if operation.arguments else "body: {}",
    ]
    return "\n".join([*lines, *_filled(operation.arguments, "  ")]) + "\n"


def _filled(members: tuple[Member, ...], indent: str) -> Iterator[str]:
    """Members as a tree: those whose name says something get a rule, the others are left to be filled."""
    for one in members:
        if not one.members:
            yield f"{indent}{said(one.name)}: {'[' if one.many else ''}{_value(one.name, many=one.many)}"
            continue
        yield f"{indent}{said(one.name)}:" + (
            "  # 可有多个, 这里只写一个 may be many: one is written" if one.many else ""
        )
        below = list(_filled(one.members, f"{indent}    " if one.many else f"{indent}  "))
        yield from [f"{indent}  - {below[0].strip()}", *below[1:]] if one.many else below


def _value(name: str, *, many: bool) -> str:
    found = meaning(name)
    value, end = (_VALUES.get(found[0]) if found else None), "]" if many else ""
    more = _WITHHELD if value and value.startswith("case.reporter") else ""
    if value:
        return f"{{from: {value}{more}}}{end}  # 猜测 guess: 参数名 by its name"
    return f'""{end}  # 未填 not filled'


def _called(name: str, operations: list[Operation], contract: str, path: str, role: str, version: str) -> str:
    names = ", ".join(sorted({_file(one) for one in operations}))
    return (
        "\n".join(
            [
                "# 由 WSDL 生成的初稿。 A draft made from a WSDL: we call the platform.",
                f"title: {said(name)}",
                'edition: "0.1"',
                f"roles: [{role}]",
                "connector:",
                "  protocol: soap",
                f"  wsdl: {{{said(path)}: {contract}}}",
                "",
                "answers:",
                *(line for one in operations for line in _judged(one, version)),
                f"# tells 待写 to be written, 可用 there are: {names}",
            ]
        )
        + "\n"
    )


def _judged(operation: Operation, version: str) -> list[str]:
    element = said(operation.answer)
    step = element if version == "1.1" else f'{{element: {element}, version: "{version}"}}'
    return [
        f"  {_file(operation)}:  # 猜测 guess: 回执的成功判据, 问对方 what means success: ask",
        f"    shape: [soap: {step}]",
        "    rows:",
        f'      - {{when: {{Fault: {{present: "yes"}}}}, then: refused, text: {{from: {_WORDS[version]}}}}}',
        "      - {http: 5xx, then: unavailable}",
        "      - {http: 2xx, then: accepted}",
    ]


# The platform calls us


def _served(name: str, operations: list[Operation], contract: str, role: str) -> str:
    lines = [
        "# 由 WSDL 生成的初稿: 对方按此调用我们。 A draft made from a WSDL: the platform calls us.",
        f"title: {said(name)}",
        'edition: "0.1"',
        f"roles: [{role}]",
        "secrets:",
        "  token: {title: 双方约定的令牌}",
        "connector: {protocol: http}",
        "",
        "doors:",
    ]
    for one in operations:
        result = one.result or "result"
        lines += [
            f"  {_file(one)}:",
            f"    path: {_file(one)}",
            f"    wsdl: {contract}",
            f"    shape: [soap: {said(one.asked)}]",
            '    authenticate: {header: authorization, prefix: "Bearer ", secret: token}  # 猜测 guess: 问对方 ask',
            f"    messages: [{_file(one)}]",
            "    reply:",
            "      format: soap",
            f"      namespace: {json.dumps(one.namespace)}",
            f"      element: {said(one.answer)}",
            "      rows:",
            f"        - {{verdict: [accepted, split], body: {{{said(result)}: success}}}}  # 猜测 guess: 问对方 ask",
            f'        - body: {{{said(result)}: {{of: [{{from: words}}, {{from: text}}], join: "：", cut: 300}}}}',
        ]
    return "\n".join(lines) + "\n"


_FIELDS = ("title", "description", "address", "given_area", "channel")


def _inbound(operation: Operation) -> str:
    places = list(_places(operation.arguments))
    named = {found[0]: path for path in reversed(places) if (found := meaning(path.rpartition(".")[2]))}
    identity = named.get("external_id") or named.get("visible_no")
    rule = (
        f"{{from: {said(identity)}}}  # 猜测 guess: 参数名 by its name"
        if identity
        else ("{from: ., digest: md5}  # 猜测 guess: 没有看到编号 no id was seen: digest over the whole")
    )
    lines = [
        f"# {operation.name}: 由 WSDL 生成, 没有样本, 每处都要核对。",
        "direction: in",
        f"title: {said(operation.name)}",
        f"contract: {_file(operation)}.schema.json",
        f"external_id: {rule}",
    ]
    texts = [
        f"  {field}: {{from: {said(named[field])}}}  # 猜测 guess: 参数名 by its name"
        for field in _FIELDS
        if field in named
    ]
    return "\n".join([*lines, "report:" if texts else "report: {}", *texts]) + "\n"


def _places(members: tuple[Member, ...], path: str = "") -> Iterator[str]:
    """Paths of single values outside arrays, the outermost first."""
    yield from (f"{path}{one.name}" for one in members if not one.members and not one.many)
    for one in members:
        if one.members and not one.many:
            yield from _places(one.members, f"{path}{one.name}.")


def _schema(operation: Operation) -> bytes:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": operation.name,
        "type": "object",
        "properties": {one.name: _schema_of(one) for one in operation.arguments},
    }
    return (json.dumps(schema, ensure_ascii=False, indent=1) + "\n").encode()


def _schema_of(member: Member) -> dict[str, object]:
    """What is there may be one or many, and an element without content is null."""
    one: dict[str, object] = {"type": ["string", "null"], "maxLength": 4096}
    if member.members:
        one = {"type": ["object", "null"], "properties": {below.name: _schema_of(below) for below in member.members}}
    return {"anyOf": [one, {"type": "array", "items": one}]} if member.many else one
