"""The hotline's envelope: a JSON string in the one multipart part `params`, both ways, and its two-level answer."""

import json
from collections.abc import Mapping
from io import BytesIO

from multipart import MultipartError, MultipartParser, parse_options_header

from simulators.wire import Answer, Request, Verdict

_LIMIT = 8 * 1024 * 1024


def pushed(path: str, params: Mapping[str, object], token: str, boundary: str) -> Request:
    """The push as the reference client writes it: the part says that it is multipart itself."""
    document = json.dumps({"params": params, "token": token}, ensure_ascii=False, separators=(",", ":"))
    lines = (
        f"--{boundary}",
        'Content-Disposition: form-data; name="params"',
        "Content-Type: multipart/form-data; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        document,
        f"--{boundary}--",
        "",
    )
    return Request(path, "\r\n".join(lines).encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def judged(answer: Answer) -> Verdict:
    """Accepted only if status.code is 200 and custom.code 1, as string or number; the HTTP status does not matter."""
    try:
        document = json.loads(answer.body)
        outer, inner = str(document["status"]["code"]), str(document.get("custom", {}).get("code", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Verdict.UNANSWERED
    if outer != "200":
        return Verdict.REFUSED
    return Verdict.ACCEPTED if inner == "1" else Verdict.REFUSED


class Unreadable(Exception):
    """The caller's request is not the agreed envelope. The text says what is wrong, without quoting it."""


def opened(content_type: str, body: bytes) -> tuple[dict[str, object], str]:
    """(params, token) of a callback. Raises Unreadable."""
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Unreadable("请求不是multipart/form-data")
    try:
        parts = list(MultipartParser(BytesIO(body), options["boundary"], len(body), memory_limit=_LIMIT, strict=True))
        texts = [(part.name, part.raw.decode()) for part in parts]
    except (MultipartError, UnicodeDecodeError) as error:
        raise Unreadable("multipart内容无法解析") from error
    if [name for name, _ in texts] != ["params"]:
        raise Unreadable("应当只有一个名为params的部分")
    try:
        document = json.loads(texts[0][1])
    except ValueError as error:
        raise Unreadable("params不是JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("params"), dict):
        raise Unreadable("缺少params对象")
    return document["params"], str(document.get("token", ""))


def replied(code: str, text: str) -> dict[str, object]:
    """The answer to a callback: custom.code 1 done, 0 refused."""
    return {"status": {"code": "200", "text": ""}, "custom": {"code": code, "text": text}}


TOKEN_REJECTED: dict[str, object] = {"status": {"code": "300", "text": "token验证失败"}, "custom": {}}
