"""What people and machines are shown of the upstream services: never a token, never an address with one."""

from typing import Any
from urllib.parse import urlsplit

from canonical.time import in_shanghai
from gateway.upstream.file import Registered
from gateway.upstream.look import Seen
from storage.upstream import Drift, Look


def standing_view(registered: Registered, look: Look | None) -> dict[str, Any]:
    """One registered service, and how it stood when it was last asked."""
    asked = look is not None and look.looked_at is not None
    return _service(registered) | {
        "state": look.state if look else "unknown",
        "since": in_shanghai(look.since).isoformat() if look and look.since else None,
        "looked_at": in_shanghai(look.looked_at).isoformat() if asked and look and look.looked_at else None,
        "why": look.why if look else "", "seconds": look.seconds if look else None,
        "hint": look.hint if look else "", "missing": list(look.missing) if look else [],
    }  # fmt: skip


def seen_view(registered: Registered, seen: Seen) -> dict[str, Any]:
    """The same of a look that was taken just now."""
    found = seen.capabilities
    return _service(registered) | {
        "state": seen.state, "why": seen.why, "seconds": seen.seconds, "hint": seen.hint,
        "missing": list(seen.missing), "offers": len(found.layers) if found else None,
        "service_title": found.title if found else "",
    }  # fmt: skip


def drift_view(drift: Drift) -> dict[str, Any]:
    """One thing that came, went or changed."""
    return {
        "upstream": drift.name, "at": in_shanghai(drift.at).isoformat(), "layer": drift.layer, "what": drift.what,
        "change": drift.change, "text": drift.text,
    }  # fmt: skip


def _service(registered: Registered) -> dict[str, Any]:
    service = registered.service
    return {
        "upstream": registered.name, "title": registered.title, "kind": service.kind.value,
        "version": service.asked_version, "host": urlsplit(service.url).hostname or "", "layers": list(service.layers),
        "crs": service.crs, "cached": registered.cache is not None,
    }  # fmt: skip
