"""Limits of one request to the map services: beyond them the answer is a clear refusal, not a long wait."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may cost. The defaults suit a process of about a gigabyte."""

    side: int = 4096
    """Pixels of a picture's longer side."""
    pixels: int = 16_777_216
    """Pixels of a picture in all."""
    features: int = 50_000
    """Features in one answer; the rest are asked for page by page."""
    page: int = 1_000
    """Features of a page where the client does not say how many."""
    body: int = 1_048_576
    """Bytes of a request's body, and of a filter."""
    terms: int = 2_000
    """Conditions and values in one filter, ids in one request, features asked about in one list."""
    depth: int = 40
    """Levels of conditions within conditions, and of elements in XML."""
    points: int = 20_000
    """Points of the shapes in a filter."""
    layers: int = 20
    """Layers in one picture, feature types in one request."""
