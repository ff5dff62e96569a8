"""Telling people: what waits for a person is told by webhook and mail, once, again after a while, and when it is over.

Nothing of a case is told, only how many of what system and why; of a rung of the ladder (gateway.ladder) also which.
Traffic never waits for any of it.
"""

import asyncio
import hashlib
import hmac
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from canonical.time import in_shanghai
from gateway import ladder
from gateway.hub import Hub
from gateway.log import log
from gateway.notify_file import MailFile, Notify
from storage.notices import SOURCES, Notice, Notices, Telling, Waiting

_LOOK = 5.0
_TIMEOUT = 10.0
_LEASE = timedelta(seconds=60)
"""Longer than all that one attempt may take."""
_SOONEST, _LATEST = 5.0, 600.0
GIVE_UP = timedelta(hours=24)
"""A channel that takes nothing for so long is given up for this occasion; it stays in /api/notices."""


class Notifier:
    """Any number of processes; each occasion is decided by one row and told by whoever claims it."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.notices = hub, Notices(hub.store)

    async def round(self) -> float:
        """Look what waits, and tell what is due. Returns seconds until the next look."""
        for source in SOURCES:
            await self._look(source)
        now = self.hub.now()
        for telling in await self.notices.due(now=now, lease=now + _LEASE):
            await self._tell(telling)
        return _LOOK

    @property
    def _declared(self) -> Notify:
        return self.hub.configuration.notify

    async def _look(self, source: str) -> None:
        now, declared = self.hub.now(), self._declared
        waiting, known = await self.notices.waiting(source), await self.notices.open(source)
        for system, one in waiting.items():
            notice = known.get(system)
            if notice is None and now - one.first_at >= declared.gather:
                notice = Notice(self.hub.ids(), source, system, now, 1, now, one.total, None)
                if await self.notices.begin(notice, self._bodies(notice, "failures", one)):
                    log.warning("notice.opened", system=system, count=one.total)
            elif notice is not None and now - notice.told_at >= declared.remind:
                await self.notices.again(notice, one.total, self._bodies(notice, "reminder", one), now)
        for system, notice in known.items():
            if system not in waiting:
                await self.notices.end(notice, self._bodies(notice, "clear", None), now)

    def _bodies(self, notice: Notice, occasion: str, waiting: Waiting | None) -> dict[str, dict[str, Any]]:
        connected = self.hub.configuration.systems.get(notice.system)
        body = {
            "notice": str(notice.id), "occasion": occasion, "source": notice.source, "system": notice.system,
            "title": connected.system.role.title if connected else "", "city": self.hub.configuration.city.name,
            "count": waiting.total if waiting else 0, "counts": dict(waiting.counts) if waiting else {},
            "first_at": in_shanghai(waiting.first_at).isoformat() if waiting else None,
            "last_at": in_shanghai(waiting.last_at).isoformat() if waiting else None,
            "at": in_shanghai(self.hub.now()).isoformat(),
        }  # fmt: skip
        return dict.fromkeys(channels(self._declared), body)

    async def _tell(self, telling: Telling) -> None:
        now = self.hub.now()
        try:
            await asyncio.to_thread(CHANNELS[telling.channel], self._declared, telling, now.timestamp())
        except Exception as error:  # noqa: BLE001 whatever a mail server or a service does must stop nothing of ours
            why = _why(error)
            over = now - telling.created_at >= GIVE_UP
            pause = min(_SOONEST * 2 ** min(telling.attempts - 1, 20), _LATEST)
            log.warning("notice.not_told", channel=telling.channel, attempts=telling.attempts, why=why, given_up=over)
            state = "given_up" if over else "due"
            await self.notices.settle(telling, state, why, at=now + timedelta(seconds=pause))
            return
        await self.notices.settle(telling, "told", "", at=now)
        log.info("notice.told", channel=telling.channel, occasion=telling.occasion)


def channels(declared: Notify) -> list[str]:
    """The channels that people are told over."""
    return [name for name in CHANNELS if getattr(declared, name) is not None]


def _why(error: Exception) -> str:
    """In words of ours: a server's own may quote addresses or secrets."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    code = getattr(error, "smtp_code", "")
    return f"{type(error).__name__} {code}".strip()


def _webhook(declared: Notify, telling: Telling, now: float) -> None:
    webhook = declared.webhook
    if webhook is None:
        raise LookupError("no webhook is declared any more")
    body, at = orjson.dumps(dict(telling.body)), str(int(now))
    signature = hmac.new(webhook.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json", "gridhub-notice": f"{telling.notice}/{telling.occasion}".replace(" ", "-"),
        "gridhub-time": at, "gridhub-signature": f"sha256={signature}",
    }  # fmt: skip
    secure = urlsplit(webhook.url).scheme == "https"
    with httpx.Client(timeout=_TIMEOUT, trust_env=False, verify=secure) as client:
        client.post(webhook.url, content=body, headers=headers).raise_for_status()


def _mail(declared: Notify, telling: Telling, _: float) -> None:
    mail = declared.mail
    if mail is None:
        raise LookupError("no mail is declared any more")
    with smtplib.SMTP(mail.host, mail.port, timeout=_TIMEOUT) as server:
        if mail.starttls:
            server.starttls(context=ssl.create_default_context(cafile=mail.ca or None))
        if mail.user:
            server.login(mail.user, mail.password)
        server.send_message(written(mail, telling))


def written(mail: MailFile, telling: Telling) -> EmailMessage:
    """The mail. Its id is that of the occasion: sent twice, it is one."""
    body, message = dict(telling.body), EmailMessage()
    rung = body["occasion"] == ladder.OCCASION
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Message-ID"] = f"<{telling.notice}.{telling.occasion.replace(' ', '-')}@gridhub>"
    about = ladder.subject(body) if rung else _SUBJECTS[body["source"]][body["occasion"]].format(**body)
    message["Subject"] = f"[gridhub {body['city']}] {body['system'] or 'centre'}: {about}"
    lines = [
        f"{body['system'] or 'centre 指挥中心'} {body['title']}",
        *(ladder.lines(body) if rung else _waiting(body)),
    ]
    message.set_content("\n".join(lines) + "\n")
    return message


def _waiting(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"  {count} {what}" for what, count in body["counts"].items())
    if body["first_at"]:
        yield f"from {body['first_at']} to {body['last_at']}"
        yield from ("", *_COMMANDS[body["source"]])


_SUBJECTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "deliveries": {
            "failures": "{count} 件等待人工处理 | {count} deliveries wait for a person",
            "reminder": "仍有 {count} 件等待人工处理 | {count} deliveries still wait",
            "clear": "已全部处理 | nothing waits any more",
        },
        "upstream": {
            "failures": "{count} 个在用图层已下线 | {count} layers that are used are gone",
            "reminder": "仍有 {count} 个在用图层缺失 | {count} layers that are used are still gone",
            "clear": "在用图层已恢复 | all layers that are used are there again",
        },
    }
)
_COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "deliveries": ("gridhub parked list", "gridhub parked release ID"),
        "upstream": ("gridhub upstream list", "gridhub upstream drift"),
    }
)
"""What to type next."""
CHANNELS: Mapping[str, Callable[[Notify, Telling, float], None]] = MappingProxyType(
    {"webhook": _webhook, "mail": _mail}
)
