"""A first folder for an unknown platform, made from one sample of what it sends. Every guess is marked as one.

Pure: a sample's bytes in, the files of a folder out. The golden reading is made by whoever can load the folder.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.guessing import DAYS, Guess, guesses
from adapters.sample_document import Leaf, Opened, open_sample
from adapters.samples import split_http
from adapters.scaffold_persons import INVENTED, anonymous
from adapters.schema_guess import schema_of
from adapters.value import as_text, empty

_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9_.\u4e00-\u9fff]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no"})
_SECRET_HEADER = re.compile(
    r"authorization|token|secret|password|(api|app|access|auth|subscription)[-_]?key", re.IGNORECASE
)
_SEEN = 60
"""Codes of one table that are written down."""
CRS = {"degrees": "EPSG:4490", "metres": "EPSG:4548"}
_ASK = {
    "degrees": "度; CGCS2000、GCJ-02、BD-09 单看数字分不出, 必须问对方 ask: EPSG:4490, GCJ-02 or BD-09",
    "metres": "米; 投影带由城市定, 必须问对方 ask which zone: EPSG:4548 is CM 117E",
}


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What a new folder holds, and what its author must know."""

    files: Mapping[str, bytes]
    sample: str
    """Name of the sample among the files."""
    found: Mapping[str, Guess]
    warnings: tuple[str, ...]


def scaffold(
    name: str, file: str, data: bytes, *, role: str = "source", now: datetime, keep: bool = False,
    without: frozenset[str] = frozenset(),
) -> Scaffold:  # fmt: skip
    """The files of folder `name` for the sample in `file`. `without`: guesses that did not read; `keep`: the sample
    as it is, with the persons in it. Raises Misconfigured, Unacceptable.
    """
    opened = open_sample(file, data)
    found = guesses(opened, now, without)
    sample, replaced = (data, 0) if keep else anonymous(file, data, opened, found)
    sample = _without_secret(sample, opened)
    entrance, ending = (
        ("push", file.rpartition(".")[2]) if opened.kind == "http" else ("files", file.rpartition(".")[2])
    )
    beside = json.dumps({"at": now.isoformat()} | _around(opened, file), ensure_ascii=False, indent=1) + "\n"
    files = {
        "system.yaml": _system(name, opened, found, role, ending),
        "messages/record.yaml": _message(name, opened, found),
        "contract/record.schema.json": _contract(name, opened, found),
        **_tables(opened, found),
        f"samples/{entrance}.sample.around.json": beside,
    }
    written = {path: text.encode() for path, text in files.items()}
    sample_name = f"samples/{entrance}.sample.in.{ending}"
    return Scaffold(
        {**written, sample_name: sample}, sample_name, found, tuple(_warnings(opened, found, replaced, keep))
    )


def _around(opened: Opened, file: str) -> dict[str, Any]:
    if opened.kind != "http" or file.endswith(".http"):
        return {}
    return {"content_type": "text/xml" if "xml" in opened.shape or "soap" in opened.shape else "application/json"}


# YAML


def said(text: str) -> str:
    """A text as YAML: bare when nothing in it can be misread."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _rule(leaf: Leaf, more: str = "") -> str:
    packed = f", parse: [{leaf.packed}]" if leaf.packed else ""
    packed += f", pick: {said(leaf.inside)}" if leaf.inside else ""
    if packed and more.startswith("match:"):  # else it would look at what is still packed
        more = f'then: {{from: ".", {more}}}'
    return f"{{from: {said(leaf.path)}{packed}{', ' + more if more else ''}}}"


def _guessed(why: str, more: str = "") -> str:
    return f"  # 猜测 guess: {why}{'; ' + more if more else ''}"


_TEXTS = ("title", "description", "address", "given_area", "channel")


def _message(name: str, opened: Opened, found: Mapping[str, Guess]) -> str:
    """`messages/record.yaml`."""
    lines = [
        "# 由样本生成的初稿, 每处猜测都要由人核对。 A draft made from one sample: check every guess.", "direction: in",
        f"title: {said(f'{name} 上报')}", "contract: record.schema.json", _identity(opened, found),
    ]  # fmt: skip
    if "visible_no" in found and _identifying(found) is not found["visible_no"]:
        lines.append(f"visible_no: {_rule(found['visible_no'].leaf)}{_guessed(found['visible_no'].why)}")
    body = [*_report_texts(opened, found), *_report_rest(found)]
    lines += ["report:" if body else "report: {}", *body, *_remarks(opened, found)]
    return "\n".join(lines) + "\n"


def _identifying(found: Mapping[str, Guess]) -> Guess | None:
    """An id, else a visible number that no two records share."""
    number = found.get("visible_no")
    return found.get("external_id") or (number if number and number.detail == "unique" else None)


def _identity(opened: Opened, found: Mapping[str, Guess]) -> str:
    best = _identifying(found)
    if best:
        return f"external_id: {_rule(best.leaf)}{_guessed(best.why)}"
    note = "没有看到编号, 以全文摘要代替: 同一报文改一字就成新案件 no id was seen: digest over the whole"
    return f"external_id: {{from: ., digest: md5}}{_guessed(note)}"


def _report_texts(opened: Opened, found: Mapping[str, Guess]) -> list[str]:
    lines = [
        f"  {field}: {_rule(found[field].leaf)}{_guessed(found[field].why)}" for field in _TEXTS if field in found
    ]  # fmt: skip
    if "description" not in found and "title" not in found and (longest := _longest(opened, found)):
        lines.append(f"  description: {_rule(longest)}{_guessed('最长的文字 the longest text')}")
    return lines


def _longest(opened: Opened, found: Mapping[str, Guess]) -> Leaf | None:
    """A text that holds a whole document is none: with it a reporter's name and phone would be everybody's to read."""
    taken = {guess.leaf for guess in found.values()}
    opened_up = {leaf.path for leaf in opened.values if leaf.packed}
    texts = {
        leaf: max((len(value) for value in values if isinstance(value, str)), default=0)
        for leaf, values in opened.values.items()
        if leaf not in taken
        and (leaf.packed or leaf.path not in opened_up)
        and not any(isinstance(value, list) for value in values)
    }
    return max(texts, key=lambda leaf: texts[leaf]) if any(texts.values()) else None


def _report_rest(found: Mapping[str, Guess]) -> list[str]:
    lines = []
    if (kind := found.get("class")) is not None:
        lines.append(f"  class: {_rule(kind.leaf, 'codes: classes')}{_guessed(kind.why, '填 codes/classes.csv')}")
        lines.append(f"  given_class: {_rule(kind.leaf)}")
    for field, key in (("reported_at", "reported_at"), ("deadline", "deadline")):
        if (at := found.get(key)) is not None:
            lines += _time(field, at)
    lines += _coordinate(found)
    lines += _reporter(found)
    if (urgency := found.get("urgency")) is not None:
        lines.append(
            f"  urgency: {_rule(urgency.leaf, 'codes: urgency')}{_guessed(urgency.why, '填 codes/urgency.csv')}"
        )
    return lines + _files(found)


def _time(field: str, at: Guess) -> list[str]:
    pattern = f"time: {json.dumps(at.detail, ensure_ascii=False)}"
    if field == "reported_at":
        name = "reported_on" if at.detail in DAYS else field
        return [f"  {name}: {_rule(at.leaf, pattern)}{_guessed(at.why, '时区按上海 zone: Asia/Shanghai')}"]
    day = ", day: end" if at.detail in DAYS else ""
    return ["  deadline:", f"    at: {_rule(at.leaf, pattern + day)}{_guessed(at.why)}"]


def _coordinate(found: Mapping[str, Guess]) -> list[str]:
    x, y = found.get("x"), found.get("y")
    if x is None:
        return []
    if y is None or x.detail == "pair":
        first, second = ('match: "([0-9.]+)[,， ]"', 'match: "[,， ]+([0-9.]+)"')
        rules = (_rule(x.leaf, first), _rule(x.leaf, second))
        note = f"{x.why}; 一个字段里两个数 two numbers in one text; {_ASK['degrees']}"
    else:
        rules = (_rule(x.leaf), _rule(y.leaf))
        swapped = "; 经纬度看来写反了 the axes look swapped" if "swapped" in x.detail else ""
        note = f"{x.why}{swapped}; {_ASK[x.detail.split()[0]]}"
    return ["  coordinate:", f"    x: {rules[0]}{_guessed(note)}", f"    y: {rules[1]}"]


def _reporter(found: Mapping[str, Guess]) -> list[str]:
    lines = [
        f"    {key}: {_rule(found[key].leaf)}{_guessed(found[key].why)}" for key in ("name", "phone") if key in found
    ]
    if (withheld := found.get("withheld")) is not None:
        codes = 'codes: {"1": "yes", "0": "no", "true": "yes", "false": "no"}'
        lines.append(f"    withheld: {_rule(withheld.leaf, codes)}{_guessed(withheld.why)}")
    return ["  reporter:", *lines] if lines else []


def _files(found: Mapping[str, Guess]) -> list[str]:
    files = found.get("attachments")
    if files is None:
        return []
    style, _, link = files.detail.partition(":")
    if style == "text":
        source, link = _rule(files.leaf, 'split: ","'), "."
    else:
        source = _rule(files.leaf) if files.leaf.packed else said(files.leaf.path)
    return ["  attachments:", f"    from: {source}{_guessed(files.why)}", f"    url: {{from: {said(link or '.')}}}"]


def _remarks(opened: Opened, found: Mapping[str, Guess]) -> list[str]:
    taken = {guess.leaf.path for guess in found.values()}
    left = [leaf.path for leaf in opened.values if not leaf.packed and leaf.path not in taken]
    lines = []
    if (status := found.get("status")) is not None:
        lines.append(
            f"# {status.leaf.path} 像是状态: 若对方会再推同一件的后续, 写 action.steps; a status: see action.steps"
        )
    packed = dict.fromkeys(leaf.path for leaf in opened.values if leaf.packed)
    lines += [f"# {path} 里面还装着一份 {_packing(opened, path)}; a document inside a text" for path in packed]
    lines += [
        f"# {path} 是包装过的 ({steps}), 已在 system.yaml 的 shape 里打开 packed, and opened by the shape"
        for path, steps in opened.opened.items()
    ]
    lines += [f"# TODO {_CLOSED.format(path)}" for path in opened.sealed]
    return lines + ([f"# 未使用 not used: {', '.join(left)}"] if left else [])


_CLOSED = (
    "{} 看来是包装或加密的, 没能打开, 里面可能有个人信息; 问对方怎样打开 looks packed or enciphered and was not opened:"
    " persons may be inside; ask how it opens"
)


def _packing(opened: Opened, path: str) -> str:
    return next(leaf.packed for leaf in opened.values if leaf.path == path and leaf.packed)


_WORDING = {
    "unreadable": "报文无法解析", "too_large": "报文过大", "unauthenticated": "身份验证失败",
    "contract": "报文不符合约定",
    "unmapped_code": "代码未在对照表中，已暂存待补充", "implausible": "时间不合理", "unknown_case": "没有对应的案件",
    "not_allowed": "当前状态不允许该操作", "unknown_message": "不支持的报文", "not_taken": "未受理",
}  # fmt: skip


def _system(name: str, opened: Opened, found: Mapping[str, Guess], role: str, ending: str) -> str:
    """`system.yaml`."""
    kind = "http" if opened.kind == "http" else "files"
    crs = found["x"].detail.split()[0] if "x" in found else ""
    lines = [
        "# 由样本生成的初稿: 字段是样本里的, 其余是猜测。 A draft made from one sample.", f"title: {said(name)}",
        'edition: "0.1"', f"roles: [{role}]",
    ]  # fmt: skip
    if opened.charset != "utf-8":
        lines.append(f"charset: {opened.charset}{_guessed('样本的字节 by the bytes of the sample')}")
    if crs:
        crs = "degrees" if crs == "pair" else crs
        lines.append(f"crs: {CRS[crs]}{_guessed(_ASK[crs])}")
    lines += _door(opened) if kind == "http" else _receiver(opened, ending)
    return "\n".join(lines) + "\n"


def _within(opened: Opened) -> list[str]:
    lines = [f"    document: {said(opened.document)}"] if opened.document != "." else []
    items = opened.items
    return lines + ([f"    items: {said(items[0])}"] if items else [])


def _secret_header(opened: Opened) -> str:
    """Name of the header that shows who sends, by its name; empty when none does."""
    return next((name for name in opened.headers if _SECRET_HEADER.search(name)), "")


def _door(opened: Opened) -> list[str]:
    shown = _secret_header(opened)
    bearer = opened.headers.get(shown, "").lower().startswith("bearer ")
    prefix = ', prefix: "Bearer "' if bearer or not shown else ""
    why = "样本的请求头 a header of the sample" if shown else "样本没有说, 必须问对方 the sample does not tell: ask"
    lines = [
        "secrets:", "  token: {title: 双方约定的令牌}", "connector: {protocol: http}", "", "doors:", "  push:",
        f"    shape: {opened.shape}",
        f"    authenticate: {{header: {said(shown or 'authorization')}{prefix}, secret: token}}{_guessed(why)}",
    ]  # fmt: skip
    lines += [*_within(opened), "    messages: [record]", f"    reply:{_guessed('回执样式, 问对方 the answer: ask')}"]
    lines += [*_envelope(opened), "      words:", *(f"        {why}: {said}" for why, said in _WORDING.items())]
    return [
        *lines, "      rows:", "        - verdict: [case, joined, repeated, applied, split, held]",
        '          body: {code: "0", message: 成功}',
        '        - body: {code: "1", message: {of: [{from: words}, {from: text}], join: "：", cut: 300}}',
    ]  # fmt: skip


def _envelope(opened: Opened) -> list[str]:
    """Whoever speaks SOAP or XML reads no JSON."""
    namespace, operation = opened.operation
    if operation:
        within = [f"      namespace: {said(namespace)}"] if namespace else []
        return ["      format: soap", *within, f"      element: {operation}Response"]
    return ["      format: xml", "      element: response"] if "xml" in opened.shape else ["      format: json"]


def _receiver(opened: Opened, ending: str) -> list[str]:
    return [
        "connector: {protocol: files}", "", "receivers:", "  files:", "    every: 60",
        f'    files: {{match: ["*.{ending}"], quiet: 5}}{_guessed("文件名样式, 问对方 the names of files: ask")}',
        f"    shape: {opened.shape}{_guessed('样本的字节 by the bytes of the sample')}", *_within(opened),
        "    messages: [record]",
    ]  # fmt: skip


# Contract and tables


def _contract(name: str, opened: Opened, found: Mapping[str, Guess]) -> str:
    identity = _identifying(found)
    required = [identity.leaf.path.partition(".")[0]] if identity else []
    coded = [found[key].leaf.path for key in ("class", "urgency", "status") if key in found]
    schema = schema_of(opened.records, required, f"{name} (由样本推断, 待核对)", coded)
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def _tables(opened: Opened, found: Mapping[str, Guess]) -> dict[str, str]:
    """The codes that were seen. `text only` reads and decides nothing: the centre classifies until rows are filled."""
    notes = {
        "class": ("classes", "类别: canonical 填城市目录的类目, 如 30428.2:P01-37"),
        "urgency": ("urgency", "紧急: canonical 填 normal 或 urgent"),
    }
    files = {}
    for key, (table, note) in notes.items():
        if key in found:
            titles = _titles(opened, found[key].leaf)
            rows = [",".join(_cell(cell) for cell in (code, "text only", title)) for code, title in titles.items()]
            head = f"# {note}; 猜测 guess: 只列出样本里见过的值, 由中心先判\nlocal,canonical,title\n"
            files[f"codes/{table}.csv"] = head + "".join(f"{row}\n" for row in rows)
    return files


def _titles(opened: Opened, leaf: Leaf) -> dict[str, str]:
    """Code to what a member called alike with `name` says of it."""
    said = next((other for other in opened.values if _names_it(other.path, leaf.path)), None)
    titles: dict[str, str] = {}
    for place, code in enumerate(opened.values[leaf]):
        if empty(code) or as_text(code).startswith("#"):
            continue
        named = opened.values[said][place] if said and len(opened.values[said]) > place else ""
        titles.setdefault(as_text(code).strip(), as_text(named) if not isinstance(named, dict | list) else "")
    return {code: titles[code] for code in list(titles)[:_SEEN] if code != "*"} or {"?": ""}


def _names_it(path: str, code: str) -> bool:
    plain = re.sub(r"(code|id|dm|bm)$", "", code.lower())
    return path != code and re.sub(r"(name|text|mc|desc)$", "", path.lower()) == plain


def _cell(text: str) -> str:
    flat = " ".join(text.split())
    return '"' + flat.replace('"', '""') + '"' if "," in flat or '"' in flat else flat


# What its author must know


def _without_secret(sample: bytes, opened: Opened) -> bytes:
    """The stored request, showing the secret that samples are read with instead of the vendor's own."""
    told = opened.headers.get(_secret_header(opened), "") if opened.headers else ""
    value = told.rpartition(" ")[2].encode("latin-1", "replace")
    body = split_http(sample)[1] if told else b""
    head = sample[: len(sample) - len(body)]
    return head.replace(value, b"demo-token") + body if value else sample


def _warnings(opened: Opened, found: Mapping[str, Guess], replaced: int, keep: bool) -> list[str]:
    told = [_CLOSED.format(path) for path in opened.sealed]
    if keep and any(kind in found for kind in INVENTED):
        told.append("the sample holds personal data and is kept as it is 样本含个人信息, 原样保留")
    if replaced:
        told.append(
            f"{replaced} names and phones in the sample were replaced 已替换姓名电话; read it before you share it"
        )
    if _identifying(found) is None:
        told.append("no id was found 没有找到编号: a digest over the whole stands in")
    if "x" in found:
        told.append(f"coordinates 坐标: {_ASK['metres' if 'metres' in found['x'].detail else 'degrees']}")
    if "class" in found:
        told.append("fill codes/classes.csv 填类目: until then the centre classifies")
    return [*told, *([] if opened.kind != "http" else ["ask how the platform shows who it is 问对方如何认证"])]
