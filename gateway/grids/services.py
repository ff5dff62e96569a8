"""Which WFS an operator means: an address, or one that the city has registered with its token."""

from collections.abc import Mapping
from dataclasses import replace

from canonical.errors import Misconfigured
from connectors.ogc.asking import checked
from connectors.ogc.capabilities import Kind
from connectors.ogc.service import Service
from gateway.upstream.file import VERSIONS, Registered

_REGISTERED = "upstream:"


def service_of(
    source: str, layer: str, version: str, registered: Mapping[str, Registered], *, swap_axes: bool
) -> Service | None:
    """None where `source` is a file. Raises Misconfigured: not registered, no WFS, no address."""
    if source.startswith(_REGISTERED):
        return _registered(source.removeprefix(_REGISTERED), layer, registered)
    if "://" not in source:
        return None
    checked(source)
    if version not in VERSIONS[Kind.WFS]:
        raise Misconfigured(f"--wfs-version: {', '.join(VERSIONS[Kind.WFS])}, not '{version}'")
    layers = (layer,) if layer else ()
    return Service(
        name=source.partition("?")[0], kind=Kind.WFS, url=source, version=version, layers=layers, swap_axes=swap_axes
    )


def _registered(name: str, layer: str, registered: Mapping[str, Registered]) -> Service:
    if name not in registered:
        known = ", ".join(registered) or "none"
        raise Misconfigured(f"no service '{name}' in upstream.yaml; known: {known}")
    service = registered[name].service
    if service.kind is not Kind.WFS:
        raise Misconfigured(f"{name} is a {service.kind.upper()}, which gives pictures: cells come of a WFS")
    # In whatever CRS the server keeps them: the one of upstream.yaml is that of its pictures.
    return replace(service, crs="", layers=(layer,) if layer else service.layers)
