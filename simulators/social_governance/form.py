"""What a request must hold, as the platform's binder checks it: required keys and their JSON types."""

from collections.abc import Mapping

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "number": (int, float),
    "list": (list,),
    "object": (dict,),
}
REPORT = {
    "BCategoryId": "int",
    "SCategoryId": "str",
    "CollectorName": "str",
    "CollectorMobilePhone": "str",
    "EventDesc": "str",
    "EventAddress": "str",
    "EventPhotos": "list",
    "Range": "object",
    "Range.Longitude": "number",
    "Range.Latitude": "number",
}
"""ReprotEvent, marks [Add]."""
REPORT_H5 = {
    "EventID": "int",
    "BCategoryId": "int",
    "SCategoryId": "str",
    "PM": "object",
    "PM.Lon": "number",
    "PM.Lat": "number",
    "EventDesc": "str",
    "EventAddress": "str",
    "EventPhotos": "list",
    "ShootAnyTimeId": "int",
    "ReportSource": "int",
}
"""QualifiedMattersH5/ReportEvent."""
EXAMINE = {"Id": "int", "IsQualified": "int", "EventId": "int"}
"""ShootAnyTimeH5/ExamineQualified."""
NOT_EMPTY = frozenset({"SCategoryId", "CollectorName", "CollectorMobilePhone", "EventDesc", "EventAddress"})


def finding(document: Mapping[str, object], fields: Mapping[str, str]) -> str:
    """The first thing wrong with the document, naming the field; empty when nothing is."""
    for path, kind in fields.items():
        value = _at(document, path)
        if value is None:
            return f"缺少参数{path}"
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
            return f"参数{path}类型错误"
        if path in NOT_EMPTY and not value:
            return f"参数{path}为空"
    photos = document.get("EventPhotos", [])
    if isinstance(photos, list) and not all(isinstance(photo, str) for photo in photos):
        return "参数EventPhotos类型错误"
    return ""


def _at(document: Mapping[str, object], path: str) -> object:
    value: object = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
