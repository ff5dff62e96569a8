"""Whether a live platform is there at all: its address, our account with it, and its lists. Nothing is left there."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from adapters import Pull
from canonical.errors import HubError
from canonical.message import Message
from gateway.certify.bench import Bench
from gateway.session import Session
from gateway.wiring import connector_for

_HEARD = TypeVar("_HEARD")
_BACK = timedelta(hours=1)
"""How far back a list is asked for."""


class Unreached(Exception):
    """The text says what was tried, what came of it, and what to look at."""


def reached(bench: Bench) -> Iterator[str]:
    """What was found, step by step. Raises Unreached."""
    yield _answers(bench)
    hub, connected = bench.hub, bench.configuration.systems[bench.name]
    try:
        session = Session(connected.system, connector_for(hub, connected), hub)
    except HubError as error:
        raise Unreached(str(error)) from None
    if connected.system.signing_in is not None:
        try:
            asked = connected.system.sign_in(hub.now(), hub.ids())
            assert asked is not None
            session.token = _heard(session, asked, lambda answer: connected.system.token(answer).value)
        except HubError as error:
            raise Unreached(
                f"登录不成 (sign_in: {connected.system.signing_in.message}): {error}; 口令用 --secret 名=值 给出 | "
                "signing in failed; give the account by --secret NAME=VALUE"
            ) from None
        yield f"登录成功 signed in: {connected.system.signing_in.message}"
    for pull in connected.system.pulls:
        if not pull.declared.per_case:
            yield _listed(bench, session, pull)


def _answers(bench: Bench) -> str:
    """Whatever it answers to a plain question: that it answers at all."""
    try:
        answer = bench.client.get(bench.live, timeout=bench.declared.connector.timeout)
    except httpx.TimeoutException:
        raise Unreached(
            f"{bench.live}: 连得上, 不应答 (或防火墙丢包) | no answer in time: is a firewall in between?"
        ) from None
    except httpx.HTTPError as error:
        raise Unreached(_why(bench.live, str(error))) from None
    return f"有应答 it answers: HTTP {answer.status_code}"


def _why(url: str, text: str) -> str:
    host = urlsplit(url).netloc
    for word, told in _TOLD.items():
        if word.lower() in text.lower():
            return f"{url}: {told} ({host}: {text})"
    return f"{url}: 连不上 | no connection ({host}: {text})"


_TOLD = {
    "refused": "没有程序在这个端口上 | nothing listens at that port",
    "name or service": "没有这个主机名 | there is no host of that name",
    "name resolution": "没有这个主机名 | there is no host of that name",
    "WRONG_VERSION": "端口上不是 TLS, 应为 http:// ? | no TLS is spoken there: http:// instead of https:// ?",
    "CERTIFICATE_VERIFY": "证书不受信任 | its certificate is not trusted: see connector.account.ca",
    "disconnected": "断开了, 应为 https:// ? | it hung up: https:// instead of http:// ?",
    "unreachable": "网络不通 | there is no way to that network",
}
"""What a connection's error means to people, by a word in it."""


def _listed(bench: Bench, session: Session, pull: Pull) -> str:
    hub, system, now = bench.hub, session.system, bench.hub.now()

    def read(answer: Message) -> int:
        return len(system.page(pull.name, answer, now=now, ids=hub.ids).rows)

    try:
        asked = system.ask(
            pull.name, since=now - _BACK, until=now, page=pull.declared.first_page, now=now, id=hub.ids(),
            session=session.token,
        )  # fmt: skip
        number = _heard(session, asked, read)
    except HubError as error:
        raise Unreached(f"清单 {pull.name} 问不到 (ask: {pull.declared.ask}) | the list is not had: {error}") from None
    return f"清单 {pull.name}: {number} 项 items"


def _heard(session: Session, asked: Message, read: Callable[[Message], _HEARD]) -> _HEARD:
    sent = session.connector.seal(asked)
    answer = session.connector.send(sent)
    try:
        return read(replace(answer, asked=sent))
    except HubError as error:
        if "html" in answer.content_type or (
            answer.body.lstrip()[:1].lower() == b"<" and b"<html" in answer.body.lower()
        ):
            raise HubError(
                f"来的是一页网页 (登录页或网关?), 地址对吗 | a web page came (a login page, a gateway?): is the address"
                f" right? {error}"
            ) from None
        raise
