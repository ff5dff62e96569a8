"""What a map process counts, in Prometheus' text format: by service and operation, never by client, layer or place."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.registry import Collector

from maps.request import Answer, Request

OTHER = "other"
"""A service or operation that is none of ours: what clients make up names nothing."""
OUTCOMES = ("ok", "not_modified", "exception", "refused", "unavailable", "failed")
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter(
    "gridhub_maps_requests",
    "Requests at the map door. exception: answered by an exception of the service's protocol; refused: turned away by "
    "the door, such as for a wrong token; unavailable: the database was away; failed: a defect, which the log tells.",
    ["service", "operation", "outcome"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "gridhub_maps_request_seconds",
    "From a whole request to the last byte handed to the connection; a slow client makes it long.",
    ["service", "operation"], buckets=_SECONDS, registry=REGISTRY,
)  # fmt: skip
FEATURES = Counter(
    "gridhub_maps_features", "Features written into answers of WFS, OGC API - Features and GetFeatureInfo.",
    ["service"], registry=REGISTRY,
)  # fmt: skip
PICTURES = Counter(
    "gridhub_maps_pictures", "Pictures and vector tiles, by where they came from: drawn, or cache.",
    ["service", "source"], registry=REGISTRY,
)  # fmt: skip
PIXELS = Counter("gridhub_maps_pixels", "Pixels drawn.", ["service"], registry=REGISTRY)
OPEN_CASES = Gauge(
    "gridhub_maps_open_cases", "Open cases that a map process holds.", multiprocess_mode="livemin", registry=REGISTRY
)
LOOKED = Gauge(
    "gridhub_maps_feed_timestamp_seconds",
    "When a map process last saw what changed in the database; time() less this is how old the map is.",
    multiprocess_mode="livemin", registry=REGISTRY,
)  # fmt: skip


def everything() -> tuple[Collector, ...]:
    """All that map processes count."""
    return (REQUESTS, SECONDS, FEATURES, PICTURES, PIXELS, OPEN_CASES, LOOKED)


def answered(service: str, request: Request, made: Answer, seconds: float) -> None:
    """One request that a service answered, to its end."""
    operation = operation_of(service, request)
    REQUESTS.labels(service, operation, _outcome(made)).inc()
    SECONDS.labels(service, operation).observe(seconds)
    effort = made.effort
    if effort.features:
        FEATURES.labels(service).inc(effort.features)
    if effort.picture:
        PICTURES.labels(service, effort.picture).inc()
    if effort.pixels:
        PIXELS.labels(service).inc(effort.pixels)


def stopped(service: str, request: Request, outcome: str) -> None:
    """One request whose service could not answer: `unavailable` or `failed`."""
    REQUESTS.labels(service, operation_of(service, request), outcome).inc()


def refused(service: str) -> None:
    """One request that the door turned away. An unknown service is `other`."""
    REQUESTS.labels(service, OTHER, "refused").inc()


def looked(cases: int, at: datetime) -> None:
    """The feed has seen what changed, and holds so many cases."""
    OPEN_CASES.set(cases)
    LOOKED.set(at.timestamp())


def operation_of(service: str, request: Request) -> str:
    """What was asked for, in words of the protocols; `other` where it is none of them."""
    for pattern, name in _PATHS.get(service, ()):
        if pattern.fullmatch(request.path):
            return name
    known = _OPERATIONS.get(service, {})
    return known.get(_named(request).lower(), OTHER)


def _outcome(made: Answer) -> str:
    if made.status == HTTPStatus.NOT_MODIFIED:
        return "not_modified"
    return "exception" if made.effort.problem or made.status >= HTTPStatus.BAD_REQUEST else "ok"


def _named(request: Request) -> str:
    """The operation as the client named it: by a key, in a form, or by the element that its XML begins with."""
    for name, value in request.pairs:
        if name.upper() == "REQUEST":
            return value
    body = request.body[:_BEGINNING]
    if match := _ELEMENT.search(body):
        return match[1].decode("ascii")
    pairs = parse_qsl(body.decode("latin-1"))
    return next((value for name, value in pairs if name.upper() == "REQUEST"), "")


_BEGINNING = 2048
_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z]+)[\s>/]")


def _by_lower(*names: str, **aliases: str) -> Mapping[str, str]:
    return {name.lower(): name for name in names} | aliases


_OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "wms": _by_lower(
        "GetCapabilities", "GetMap", "GetFeatureInfo", "GetLegendGraphic",
        map="GetMap", capabilities="GetCapabilities", feature_info="GetFeatureInfo",
    ),
    "wmts": _by_lower("GetCapabilities", "GetTile"),
    "wfs": _by_lower(
        "GetCapabilities", "DescribeFeatureType", "GetFeature", "GetPropertyValue", "ListStoredQueries",
        "DescribeStoredQueries",
    ),
    "base": _by_lower("GetCapabilities", "GetTile"),
}  # fmt: skip


def _paths(*rows: tuple[str, str]) -> Sequence[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern, re.DOTALL), name) for pattern, name in rows]


_PATHS: Mapping[str, Sequence[tuple[re.Pattern[str], str]]] = {
    "wmts": _paths((r"/1\.0\.0/WMTSCapabilities\.xml", "GetCapabilities"), (r"/.+\.(?:png|jpe?g)", "GetTile")),
    "base": _paths((r"/[^/]+/\d+/\d+/\d+[^/]*", "GetTile"), (r"/[^/]*", "TileJSON")),
    "tiles": _paths((r"/[^/]+\.json", "TileJSON"), (r"/.+\.(?:mvt|pbf)", "GetTile")),
    "features": _paths(
        (r"/collections/[^/]+/items/?", "items"), (r"/collections/[^/]+/items/.+", "item"), (r".*", "description")
    ),
}
"""Addresses that say what they are for, by service; the first that fits."""
