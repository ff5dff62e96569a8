"""What a service offers, in a form that is kept; and what came, went or changed since the look before. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.ogc.capabilities import Capabilities, Layer

MOST = 500
"""Changes of one look that are told one by one: a service that was replaced has thousands."""
_MOST_NAMES = 20_000
_PARTS = ("crs", "formats", "styles", "matrix_sets")
_TITLES = {"crs": "crs", "formats": "format", "styles": "style", "matrix_sets": "matrix_set"}
_MOVED = 1e-4
"""Degrees by which a box may move before it counts."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing."""

    layer: str
    what: str
    change: str
    """`came`, `went` or `changed`."""
    text: str


def offered(found: Capabilities, used: Sequence[str]) -> dict[str, Any]:
    """What is kept: the names of all layers, everything of those that are used."""
    layers = [layer for name in used if (layer := found.layer(name)) is not None]
    return {
        "version": found.version,
        "names": sorted(found.names())[:_MOST_NAMES],
        "layers": {layer.name: _of(layer) for layer in layers},
        "matrix_sets": {one.name: [one.crs, len(one.matrices)] for one in found.matrix_sets},
    }


def _of(layer: Layer) -> dict[str, Any]:
    return {part: sorted(getattr(layer, part)) for part in _PARTS} | {
        "box": list(layer.box) if layer.box else None, "time": bool(layer.time),
    }  # fmt: skip


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Everything that differs, the service's own first."""
    found = list(_changes(before, now))
    if len(found) <= MOST:
        return found
    return [*found[:MOST], Change("", "service", "changed", f"and {len(found) - MOST} further changes")]


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    if before["version"] != now["version"]:
        yield Change("", "version", "changed", f"{before['version']} -> {now['version']}")
    for change, name in _sets(before["names"], now["names"]):
        yield Change(name, "layer", change, name)
    old, new = before["matrix_sets"], now["matrix_sets"]
    for change, name in _sets(old, new):
        yield Change("", "matrix_set", change, name)
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield Change("", "matrix_set", "changed", f"{name}: {_levels(old[name])} -> {_levels(new[name])}")
    for name in sorted(before["layers"].keys() & now["layers"].keys()):
        yield from _layer(name, before["layers"][name], now["layers"][name])


def _layer(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for part in _PARTS:
        for change, value in _sets(before[part], now[part]):
            yield Change(name, _TITLES[part], change, value)
    if _moved(before["box"], now["box"]):
        yield Change(name, "box", "changed", f"{_shown(before['box'])} -> {_shown(now['box'])}")
    if before["time"] != now["time"]:
        yield Change(name, "time", "came" if now["time"] else "went", "time dimension")


def _sets(before: Iterable[str], now: Iterable[str]) -> Iterator[tuple[str, str]]:
    old, new = frozenset(before), frozenset(now)
    yield from (("went", one) for one in sorted(old - new))
    yield from (("came", one) for one in sorted(new - old))


def _moved(before: Sequence[float] | None, now: Sequence[float] | None) -> bool:
    if before is None or now is None:
        return before is not now
    return any(abs(old - new) > _MOVED for old, new in zip(before, now, strict=True))


def _shown(box: Sequence[float] | None) -> str:
    return " ".join(f"{value:.4f}" for value in box) if box else "none"


def _levels(one: Sequence[Any]) -> str:
    return f"{one[0]} {one[1]} levels"
