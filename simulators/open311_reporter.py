"""A GeoReport v2 client: files requests at the hub's server and asks what became of them.

It reads the services first and answers what their definitions require. Filing is not idempotent, so a client in doubt
does not file again.
"""

from dataclasses import dataclass, replace
from functools import partial
from random import Random
from urllib.parse import urlencode

from simulators import city, wire
from simulators.georeport import Unreadable, questions, rows
from simulators.system import System


@dataclass(frozen=True)
class Filed:
    """A request filed at the hub. `state`: filing, token, open, closed, refused or unanswered."""

    id: str
    description: str
    state: str = "filing"
    number: str = ""
    token: str = ""
    notes: str = ""


class Reporter:
    """The client of one system. `door`: path of the hub's server; `form`: json or xml."""

    def __init__(self, system: System, door: str, form: str, jurisdiction: str) -> None:
        self._system = system
        self._door = door
        self._form = form
        self._jurisdiction = jurisdiction
        self.filed: dict[str, Filed] = {}
        self._services: list[dict[str, str]] = []

    def file(self, dice: Random) -> str:
        """Somebody reports something. Returns our own id of it; what the hub says of it is in `filed` later."""
        where, who = city.spot(dice), city.person(dice)
        id_ = f"{dice.getrandbits(48):012x}"
        fields = {
            "api_key": self._system.setup.secret,
            "lat": f"{where.lat}",
            "long": f"{where.lon}",
            "address_string": where.address,
            "first_name": who.name,
            "phone": who.phone,
            "account_id": id_,
        }
        self.filed[id_] = Filed(id_, "")
        self._system.spawn(self._send(id_, fields | self._home(), dice))
        return id_

    def _home(self) -> dict[str, str]:
        return {"jurisdiction_id": self._jurisdiction} if self._jurisdiction else {}

    async def _send(self, filed_id: str, fields: dict[str, str], dice: Random) -> None:
        service = await self._service(dice)
        if service is None:
            self.filed[filed_id] = replace(self.filed[filed_id], state="unanswered")
            self._system.counts[wire.Verdict.UNANSWERED] += 1
            return
        text = f"{service.get('service_name', '问题')}，请尽快处理（{fields['address_string']}）"
        fields |= {"service_code": service.get("service_code", ""), "description": text}
        if service.get("metadata") == "true":
            fields |= await self._answers(fields["service_code"], dice)
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded; charset=utf-8"
        request = wire.Request(f"{self._door}/requests.{self._form}", body, {"Content-Type": kind})
        seen: list[wire.Answer] = []
        verdict = await self._system.tell(filed_id, request, partial(self._judged, seen), again=frozenset())
        row = self._first(seen[-1]) if verdict is wire.Verdict.ACCEPTED else {}
        number, token = row.get("service_request_id", ""), row.get("token", "")
        state = ("open" if number else "token") if row else str(verdict)
        self.filed[filed_id] = Filed(filed_id, text, state, number, token)

    def _judged(self, seen: list[wire.Answer], answer: wire.Answer) -> wire.Verdict:
        seen.append(answer)
        if answer.status >= 500:
            return wire.Verdict.UNANSWERED
        row = self._first(answer)
        good = answer.status < 300 and bool(row.get("service_request_id") or row.get("token"))
        return wire.Verdict.ACCEPTED if good else wire.Verdict.REFUSED

    async def _service(self, dice: Random) -> dict[str, str] | None:
        if not self._services:
            self._services = await self._get("services")
        return dice.choice(self._services) if self._services else None

    async def _answers(self, code: str, dice: Random) -> dict[str, str]:
        """Something for every attribute the definition requires: always read as JSON, it is nested."""
        answer = await self._system.call(self._asking(f"services/{code}", "json"), method="GET")
        try:
            asked = questions(answer.body) if answer is not None and answer.status == 200 else {}
        except Unreadable:
            self._system.counts["unreadable"] += 1
            asked = {}
        return {f"attribute[{code}]": dice.choice(keys) if keys else "示例内容" for code, keys in asked.items()}

    async def poll(self) -> None:
        """Ask about everything that is not closed. No answer: nothing changes."""
        for one in tuple(self.filed.values()):
            if one.state == "token":
                for row in await self._get(f"tokens/{one.token}"):
                    number = row.get("service_request_id", "")
                    self.filed[one.id] = replace(one, state="open" if number else "token", number=number)
            elif one.state == "open":
                for row in await self._get(f"requests/{one.number}"):
                    state = "closed" if row.get("status") == "closed" else "open"
                    self.filed[one.id] = replace(one, state=state, notes=row.get("status_notes", ""))
        self._system.counts["polls"] += 1

    async def _get(self, path: str) -> list[dict[str, str]]:
        answer = await self._system.call(self._asking(path, self._form), method="GET")
        if answer is None or answer.status != 200:
            return []
        try:
            return rows(answer.body, self._form)
        except Unreadable:
            self._system.counts["unreadable"] += 1
            return []

    def _asking(self, path: str, form: str) -> wire.Request:
        query = f"?{urlencode(self._home())}" if self._jurisdiction else ""
        return wire.Request(f"{self._door}/{path}.{form}{query}", b"", {})

    def _first(self, answer: wire.Answer) -> dict[str, str]:
        try:
            return next(iter(rows(answer.body, self._form)), {})
        except Unreadable:
            return {}
