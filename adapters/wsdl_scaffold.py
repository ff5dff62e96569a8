"""A first folder for a SOAP platform, made from its WSDL: a message an operation, arguments in order."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree

from adapters.field_names import meaning
from adapters.guessing import Guess
from adapters.scaffold import Scaffold, said
from canonical.errors import Misconfigured

_WSDL, _XSD = "{http://schemas.xmlsoap.org/wsdl/}", "{http://www.w3.org/2001/XMLSchema}"
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
_WITHHELD = ", unless: {case.reporter.withheld: true}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and the names of its arguments, in order."""

    name: str
    arguments: tuple[str, ...]
    answer: str
    """Element of its answer."""
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
        namespace = root.get("targetNamespace", "")
        files["system.yaml"] = _served(name, operations, contract, namespace, role).encode()
        for one in operations:
            files[f"messages/{_file(one)}.yaml"] = _inbound(one).encode()
            files[f"contract/{_file(one)}.schema.json"] = _schema(one)
    else:
        files["system.yaml"] = _called(name, operations, contract, path, role).encode()
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
        for place in _imports(waiting.pop()):
            if place == file or place in imported:
                continue
            if place not in beside:
                raise Misconfigured(
                    f"{file}: imports {place}, which does not lie beside it: fetch it, and name it by its file"
                    " name alone 请把导入的文件放在同一文件夹, 并按文件名引用"
                )
            imported[place] = beside[place]
            waiting.append(_parsed(place, beside[place]))
            _merge(root, waiting[-1])
    return root, imported


def _imports(root: etree._Element) -> list[str]:
    found = root.iter(f"{_XSD}import", f"{_XSD}include", f"{_WSDL}import")
    return [place for one in found if (place := one.get("schemaLocation") or one.get("location"))]


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
        yield Operation(name, arguments, _element(root, given) or f"{name}Response", next(iter(answer), ""))


def _parts(root: etree._Element, message: str) -> list[etree._Element]:
    found = root.findall(f"{_WSDL}message")
    return next((one.findall(f"{_WSDL}part") for one in found if one.get("name") == message), [])


def _element(root: etree._Element, message: str) -> str:
    return next((_local(part.get("element", "")) for part in _parts(root, message)), "")


def _members(root: etree._Element, message: str) -> tuple[str, ...]:
    """Wrapped: the members of the element; else the parts themselves."""
    parts = _parts(root, message)
    element = _element(root, message)
    if not element:
        return tuple(part.get("name", "") for part in parts)
    for declared in root.iter(f"{_XSD}element"):
        if declared.get("name") == element and declared.getparent().tag == f"{_XSD}schema":  # type: ignore[union-attr]
            return _sequence(root, declared)
    return ()


def _sequence(root: etree._Element, element: etree._Element) -> tuple[str, ...]:
    typed = _local(element.get("type", ""))
    holder = next((one for one in root.iter(f"{_XSD}complexType") if typed and one.get("name") == typed), element)
    inner = holder if holder is not element else element.find(f"{_XSD}complexType")
    members = inner.findall(f"{_XSD}sequence/{_XSD}element") if inner is not None else []
    return tuple(member.get("name") or _local(member.get("ref", "")) for member in members)


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
        "answer: plain",
        "body:" if operation.arguments else "body: {}",
    ]
    for name in operation.arguments:
        found = meaning(name)
        value = _VALUES.get(found[0]) if found else None
        more = _WITHHELD if value and value.startswith("case.reporter") else ""
        rule = f"{{from: {value}{more}}}  # 猜测 guess: 参数名 by its name" if value else '""  # 未填 not filled'
        lines.append(f"  {said(name)}: {rule}")
    return "\n".join(lines) + "\n"


def _called(name: str, operations: list[Operation], contract: str, path: str, role: str) -> str:
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
                "  plain:  # 猜测 guess: 回执的成功判据, 问对方 what means success: ask",
                "    shape: [json]",
                "    rows:",
                "      - {http: 5xx, then: unavailable}",
                "      - {http: 2xx, then: accepted}",
                f"# tells 待写 to be written, 可用 there are: {names}",
            ]
        )
        + "\n"
    )


# The platform calls us


def _served(name: str, operations: list[Operation], contract: str, namespace: str, role: str) -> str:
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
            f"    shape: [soap: {said(one.name)}]",
            '    authenticate: {header: authorization, prefix: "Bearer ", secret: token}  # 猜测 guess: 问对方 ask',
            f"    messages: [{_file(one)}]",
            "    reply:",
            "      format: soap",
            f"      namespace: {json.dumps(namespace)}",
            f"      element: {said(one.answer)}",
            "      rows:",
            f"        - {{verdict: [accepted, split], body: {{{said(result)}: success}}}}  # 猜测 guess: 问对方 ask",
            f'        - body: {{{said(result)}: {{of: [{{from: words}}, {{from: text}}], join: "：", cut: 300}}}}',
        ]
    return "\n".join(lines) + "\n"


_FIELDS = ("title", "description", "address", "given_area", "channel")


def _inbound(operation: Operation) -> str:
    named = {found[0]: name for name in reversed(operation.arguments) if (found := meaning(name))}
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


def _schema(operation: Operation) -> bytes:
    text = {"type": ["string", "null"], "maxLength": 4096}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": operation.name,
        "type": "object",
        "properties": dict.fromkeys(operation.arguments, text),
    }
    return (json.dumps(schema, ensure_ascii=False, indent=1) + "\n").encode()
