"""People who signed in, as the map knows them: the session of their browser opens what their scope covers."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from canonical.rights import Right, Scope
from gateway.access import cookie_of, of_session
from gateway.people.file import PeopleSettings
from storage.sessions import Sessions, digest
from storage.store import Store

_GOOD_FOR = timedelta(seconds=5)
"""How long an answer is kept: a page of maps asks dozens of times in a second."""
_KEPT = 2000


class MapPeople:
    """The sessions of one database."""

    def __init__(self, store: Store, told: PeopleSettings, now: Callable[[], datetime]) -> None:
        self._sessions, self._told, self._now = Sessions(store), told, now
        self._known: OrderedDict[str, tuple[datetime, Scope | None]] = OrderedDict()

    async def scope_of(self, cookies: str) -> Scope | None:
        """What somebody with these cookies may see; None: nobody has signed in, or may look. Raises DatabaseAway."""
        token = cookie_of(cookies)
        if not token:
            return None
        key, now = digest(token), self._now()
        kept = self._known.get(key)
        if kept is None or kept[0] < now:
            kept = now + _GOOD_FOR, await self._found(token, now)
            self._known[key] = kept
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return kept[1]

    async def _found(self, token: str, now: datetime) -> Scope | None:
        session = await self._sessions.find(token, now=now, idle=self._told.idle)
        if session is None:
            return None
        who = of_session(self._told, session)
        return who.scope if who.may(Right.SEE) else None
