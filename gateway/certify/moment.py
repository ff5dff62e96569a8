"""Moments written as a platform writes them: the form is found by writing the known moment and comparing."""

from datetime import datetime

_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+08:00", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S",
    "%Y-%m-%d %H:%M", "%Y年%m月%d日 %H:%M:%S", "%Y/{0.month}/{0.day} {0.hour}:%M:%S", "%Y-%m-%d",
    "%Y/{0.month}/{0.day} {0.hour}:{0.minute}:{0.second}", "%Y-%m-%dT%H:%M:%S.000+08:00", "%Y%m%dT%H%M%S",
    "%Y%m%d%H%M%S000", "%Y-%m-%d %H:%M:%S.000", "%Y%m%d", "%Y/%m/%d",
)  # fmt: skip


def rewritten(raw: str, stated: datetime, at: datetime) -> str:
    """`at` written as `raw` writes `stated`; empty when that form is not known."""
    for pattern in _FORMATS:
        if _written(pattern, stated) == raw:
            return _written(pattern, at)
    for scale in (1, 1000):
        if str(int(stated.timestamp()) * scale) == raw or str(int(stated.timestamp() * scale)) == raw:
            return str(int(at.timestamp() * scale))
    return ""


def _written(pattern: str, at: datetime) -> str:
    return at.strftime(pattern.format(at))
