"""What GDAL reads. Its other drivers, the network and other folders stay out of reach.

A file comes here as a copy with sidecars in a folder of its own, after its first bytes were looked at; so the driver is
the one that was meant, and that is checked again.
"""

import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from pyogrio import raw

from canonical.errors import HubError
from canonical.findings import Finding, Severity
from connectors.geodata import crs
from connectors.geodata.sheet import Layer, check_size, unreadable
from connectors.geodata.words import Encoding, Word, encoding_of

_SETTINGS: Mapping[str, str] = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".nothing",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",  # whatever would still ask the network asks a closed door
    "GDAL_HTTP_MAX_RETRY": "0",
    "SHAPE_RESTORE_SHX": "YES",  # of the copy: the index is often forgotten
    "OGR_GEOMETRY_ACCEPT_UNCLOSED_RING": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "SQLITE_USE_OGR_VFS": "NO",
    "LIBKML_RESOLVE_STYLE": "NO",
    "LIBKML_EXTERNAL_STYLE": "NO",
    "GML_FIELDTYPES": "ALWAYS_STRING",  # a code is no number, whatever the first page looks like
}


def read_gdal(
    path: Path, name: str, drivers: Collection[str], layer: str, said: Encoding | None, widths: Sequence[int] = ()
) -> tuple[Layer, Encoding]:
    """One layer of a file; `widths` are the bytes of its text fields, where they are fixed.

    Raises ContractViolation for what none of these drivers reads.
    """
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            pyogrio.set_gdal_config_options(dict(_SETTINGS))
            title = _title(path, name, layer)
            told = pyogrio.read_info(path, layer=title, encoding="ISO-8859-1", force_feature_count=True)
            if told["driver"] not in drivers:
                raise unreadable(f"{name}: this is {told['driver']}, not what its name says: export it again")
            check_size(name, max(told["features"], 0), len(told["fields"]))
            _check_count(path, name, told["features"])
            meta, _, shapes, values = raw.read(path, layer=title, encoding="ISO-8859-1", datetime_as_string=True)
    except HubError:
        raise
    except Exception as error:  # noqa: BLE001 - over broken files pyogrio raises its own, numpy's and slips of its code
        raise unreadable(f"{name}: cannot be read ({_clean(str(error), path)}): export it again") from None
    findings = [Finding(name, 0, "", text, Severity.WARNING) for text in _said(heard, path)]
    words = [
        (str(value).encode("latin-1"), width)
        for column, width in zip(values, _padded(widths, len(values)), strict=True)
        if column.dtype == object
        for value in column
        if isinstance(value, str)
    ]
    names: list[Word] = [(word, len(word) >= _NAME) for word in (str(one).encode("latin-1") for one in meta["fields"])]
    encoding = encoding_of([*names, *((word, len(word) >= width) for word, width in words)], said, name)
    columns = tuple(encoding.text(word) for word in names)
    if len(set(columns)) < len(columns):
        raise unreadable(f"{name}: two columns have one name: name one of them otherwise")
    made = [
        _values(column, str(kind), encoding, width)
        for column, kind, width in zip(values, meta["dtypes"], _padded(widths, len(values)), strict=True)
    ]
    count = len(shapes) if shapes is not None else 0
    rows = (
        [dict(zip(columns, row, strict=True)) for row in zip(*made, strict=True)]
        if made
        else [{} for _ in range(count)]
    )
    read = shapely.from_wkb(shapes, on_invalid="ignore") if count else np.empty(0, object)
    return Layer(columns, rows, read, crs.found(str(meta["crs"] or "")), "", findings), encoding


_UNBOUNDED = 1 << 30
_NAME = 10
"""Bytes of a column's name in a DBF, which cuts longer ones where it will."""


def _padded(widths: Sequence[int], count: int) -> list[int]:
    return list(widths) if len(widths) == count else [_UNBOUNDED] * count


def _title(path: Path, name: str, layer: str) -> str | int:
    """The layer to read. Files that hold one name it as they like."""
    layers = [str(title) for title, kind in pyogrio.list_layers(path).tolist() if kind is not None]
    if not layers:
        raise unreadable(f"{name}: no layer with geometries in it: export the cells as polygons")
    if len(layers) == 1 and (not layer or layers == ["layer"]):
        return layers[0]
    if layer not in layers:
        raise unreadable(f"{name}: say which layer: {', '.join(layers[:10])}")
    return layer


def _check_count(path: Path, name: str, features: int) -> None:
    """A header that tells of more rows than there are bytes would have memory set aside for them."""
    if features > sum(one.stat().st_size for one in path.parent.iterdir()):
        raise unreadable(f"{name}: tells of {features} rows and has not the bytes for them: export it again")


def _values(column: np.ndarray, kind: str, encoding: Encoding, width: int) -> list[object]:
    values: list[object] = column.tolist()
    if column.dtype == object:
        return [_text(value, encoding, width) if isinstance(value, str) else _plain(value) for value in values]
    whole = kind.startswith(("int", "uint"))  # whole numbers with gaps come as fractions
    return [_number(value, whole) if isinstance(value, float) else value for value in values]


def _text(value: str, encoding: Encoding, width: int) -> str:
    word = value.encode("latin-1")
    return encoding.text((word, len(word) >= width)).rstrip("\0 ")


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else None if value is None else str(value)


def _number(value: float, whole: bool) -> object:
    if not np.isfinite(value):
        return None
    return int(value) if whole else value


def _said(heard: Sequence[warnings.WarningMessage], path: Path) -> list[str]:
    return list(dict.fromkeys(_clean(str(one.message), path) for one in heard))[:20]


def _clean(text: str, path: Path) -> str:
    """Without the folder of the copy."""
    return " ".join(text.replace(f"{path.parent}/", "").split())[:200]
