"""Layers and their features, by column: what every map service reads, whatever it writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

Objects = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""West, south, east, north in CGCS2000 degrees (EPSG:4490)."""


class Kind(StrEnum):
    """What a column holds. A missing value is None."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    INSTANT = "instant"
    """Aware datetime."""
    DAY = "day"


class Shape(StrEnum):
    """What the features of a layer are."""

    POINT = "point"
    SURFACE = "surface"
    """Polygons and multipolygons."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column."""

    name: str
    """An XML name in ASCII, for every service alike."""
    title: str
    """For people, Chinese."""
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as one scope sees it."""

    name: str
    title: str
    abstract: str
    shape: Shape
    fields: tuple[Field, ...]
    extent: Box
    """Of the city: never computed from features."""
    timed: bool = False
    """Asked with a time, it shows the cases received then; without, those that are open now."""
    label: str = ""
    """The column that names a feature on the map; empty: none."""


@dataclass(frozen=True, slots=True)
class Table:
    """Features of a layer, in a stable order (by id)."""

    layer: Layer
    ids: Objects
    """`<layer>.<key>`, unique."""
    columns: Mapping[str, Objects]
    """By the name of the layer's fields; all of one length."""
    geometry: Objects
    """shapely geometries, longitude and latitude in CGCS2000 degrees."""
    bounds: Floats
    """One row a feature: west, south, east, north."""

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Self:
        """The chosen features: a mask, positions in the order wanted, or a slice."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(
            self, ids=self.ids[rows], columns=columns, geometry=self.geometry[rows], bounds=self.bounds[rows]
        )

    def ordered(self, by: Sequence[tuple[str, bool]]) -> Self:
        """Sorted by columns, each with True for descending; equal ones stay by id. A missing value comes last."""
        order = np.arange(len(self))
        first = dict(reversed(by))  # what is named again changes nothing, and costs as much
        for name, descending in reversed([(name, first[name]) for name in dict(by)]):
            values = self.columns[name][order]
            given = np.fromiter((value is not None for value in values), bool, len(values))
            ranks = np.zeros(len(values), np.int64)
            _, ranks[given] = np.unique(values[given], return_inverse=True)
            ranks = -ranks if descending else ranks
            ranks[~given] = len(values) + 1
            order = order[np.argsort(ranks, kind="stable")]
        return self.take(order)


def objects(values: Sequence[object]) -> Objects:
    """An array of objects, whatever they are: numpy must not look inside."""
    made = np.empty(len(values), object)
    made[:] = values
    return made
