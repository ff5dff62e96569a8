"""How the traffic to each system stands, as far as a console must hear of it at once: what changed since a look."""

from collections.abc import Mapping, Sequence

from canonical.time import in_shanghai
from gateway.hub import Hub
from gateway.live.words import Word, event
from gateway.standing import standing
from gateway.views import View
from storage.attention import Waiting, attention

ALARMS = {"quarantined": "messages in quarantine", "parked": "deliveries that wait for a person"}
_KEPT = ("connected", "paused", "waits_for_a_person", "trouble")


class Traffic:
    """The state of each system at the last look."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known: dict[str, View] | None = None
        self._waiting: dict[tuple[str, str], Waiting] = {}

    def whole(self) -> bytes:
        """How all stand; nothing before the first look."""
        return self._systems(self._known, whole=True) if self._known else b""

    async def look(self) -> bytes:
        """What changed since the last look, and what a person must see. Raises DatabaseAway."""
        waiting = {(one.what, one.system): one for one in await attention(self._hub.store)}
        found = {name: _state(view) for name, view in (await standing(self._hub)).items()}
        for (what, name), one in waiting.items():
            if what == "quarantined" and name in found:
                found[name]["quarantined"] = one.count
        if self._known is None:
            self._known, self._waiting = found, waiting
            return self.whole()
        changed = {name: state for name, state in found.items() if self._known.get(name) != state}
        alarms = [one for key, one in waiting.items() if _grew(self._waiting.get(key), one)]
        self._known, self._waiting = found, waiting
        told = b"".join(map(self._alarm, alarms))
        return told + (self._systems(changed, whole=False) if changed else b"")

    def _systems(self, states: Mapping[str, View], *, whole: bool) -> bytes:
        items: Sequence[View] = [{"system": name, **state} for name, state in sorted(states.items())]
        return event(Word.SYSTEMS, {"at": self._hub.now().isoformat(), "whole": whole, "items": items})

    def _alarm(self, one: Waiting) -> bytes:
        at = in_shanghai(one.newest) if one.newest else self._hub.now()
        told = {"at": at.isoformat(), "what": one.what, "system": one.system, "count": one.count}
        return event(Word.ALARM, told | {"title": ALARMS[one.what]})


def _state(view: View) -> View:
    """Without what changes while all is well."""
    state = {name: view[name] for name in _KEPT}
    state["trouble"] = sorted(view["trouble"])
    state["switched_off"] = sorted(one["what"] for one in view["switched_off"])
    state["breakers"] = sorted({one["state"] for one in view["breakers"]})
    return state | {"quarantined": 0}


def _grew(before: Waiting | None, now: Waiting) -> bool:
    """True when something came that was not there before, even where as much went."""
    if before is None or now.count > before.count:
        return True
    return bool(now.newest and (before.newest is None or now.newest > before.newest))
