"""People are told of final failures by a real webhook and a real mail server: once, again later, and at the end."""

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_string
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest

from gateway.configuration import load, read
from gateway.notify import GIVE_UP, Notifier
from gateway.notify_file import Notify, WebhookFile
from gateway.settings import example_city
from storage.notices import Notices
from tests.gateway.notice_desk import SECRET, MailServer, declared, serving
from tests.gateway.pulling import Platform, Said, platform
from tests.gateway.replaying import NAME, Yard, edition, order, yard
from tests.gateway.running import ENVIRONMENT

Story = Callable[[Yard, Notifier], Coroutine[Any, Any, None]]


@pytest.fixture
def desk() -> Iterator[MailServer]:
    with serving(MailServer()) as server:
        yield server


@pytest.fixture
def duty() -> Iterator[Platform]:
    """The service that notices are posted to."""
    with platform() as server:
        server.on["/duty"] = lambda _asked: {}
        yield server


def told(url: str, place: Path, notify: Notify, story: Story, *, failures: int = 3) -> None:
    """A story at a hub whose platform refused so many messages."""

    async def run() -> None:
        with platform() as works:
            works.on["/taken"] = lambda _asked: {"code": "拒收: 张三 13800000000"}
            async with yard(url, edition(place, works.url)) as one:
                async with one.worker():
                    for number in range(failures):
                        await one.push(order(number))
                    for _ in range(400):
                        if await one.rows("SELECT 1 FROM delivery WHERE state = 'refused' OFFSET :n", n=failures - 1):
                            break
                        await asyncio.sleep(0.05)
                hub = replace(one.hub, configuration=replace(one.hub.configuration, notify=notify))
                await story(one, Notifier(hub))

    asyncio.run(run())


def occasions(duty: Platform) -> list[str]:
    return [asked.body["occasion"] for asked in duty.asked]


def test_many_failures_of_a_system_are_one_notice_told_once_by_two_workers_signed_and_without_personal_data(
    database_url: str, tmp_path: Path, duty: Platform, desk: MailServer
) -> None:
    async def story(one: Yard, mine: Notifier) -> None:
        theirs = Notifier(mine.hub)
        await asyncio.gather(mine.round(), theirs.round())
        assert duty.asked == []  # a minute is gathered first
        one.after = timedelta(minutes=2)
        await asyncio.gather(mine.round(), theirs.round())
        await asyncio.gather(mine.round(), theirs.round())
        [asked] = duty.asked
        assert (asked.body["system"], asked.body["count"]) == (NAME, 3)
        assert asked.body["counts"] == {"refused not_taken": 3}
        body = json.dumps(asked.body, ensure_ascii=False, separators=(",", ":"))
        wanted = hmac.new(SECRET.encode(), f"{asked.headers['gridhub-time']}.{body}".encode(), hashlib.sha256)
        assert asked.headers["gridhub-signature"] == f"sha256={wanted.hexdigest()}"
        [mail] = desk.mails
        parsed = message_from_string(mail)
        assert "3 deliveries wait for a person" in str(make_header(decode_header(parsed["Subject"])))
        text = parsed.get_payload(decode=True)
        assert isinstance(text, bytes)
        assert "3 refused not_taken" in text.decode()
        assert "13800000000" not in body + mail + text.decode()
        assert "张三" not in body + text.decode()

    told(database_url, tmp_path, declared(duty, desk), story)


def test_what_still_waits_is_told_again_after_a_while_and_its_end_is_told(
    database_url: str, tmp_path: Path, duty: Platform, desk: MailServer
) -> None:
    async def story(one: Yard, mine: Notifier) -> None:
        for hours in (1, 2, 4, 5.5, 6):
            one.after = timedelta(hours=hours)
            await mine.round()
        assert occasions(duty) == ["failures", "reminder"]
        ids = [row[0] for row in await one.rows("SELECT id FROM delivery WHERE state = 'refused'")]
        for delivery in ids:
            await one.hub.outbox.withdraw(delivery, "电话办理", now=one.hub.now())
        await mine.round()
        await mine.round()
        assert occasions(duty) == ["failures", "reminder", "clear"]
        assert len(desk.mails) == 3
        [(notice, tellings)] = await Notices(one.hub.store).listed()
        assert (notice.closed_at, len(tellings)) == (one.hub.now(), 6)

    told(database_url, tmp_path, declared(duty, desk), story)


def test_a_channel_that_fails_is_tried_again_to_an_end_and_shown_and_the_other_one_is_not_kept_waiting(
    database_url: str, tmp_path: Path, duty: Platform, desk: MailServer
) -> None:
    async def story(one: Yard, mine: Notifier) -> None:
        duty.on["/duty"] = lambda _asked: Said({}, status=500)
        desk.refusing = "550 no such sender, 13800000000"
        one.after = timedelta(minutes=2)
        await mine.round()
        desk.refusing = ""
        one.after = timedelta(minutes=3)
        await mine.round()
        assert (len(duty.asked), len(desk.mails)) == (2, 1)
        [(_, tellings)] = await Notices(one.hub.store).listed()
        shown = {row["channel"]: (row["state"], row["attempts"], row["text"]) for row in tellings}
        assert shown == {"webhook": ("due", 2, "HTTP 500"), "mail": ("told", 2, "")}
        one.after = timedelta(minutes=3) + GIVE_UP
        await mine.round()
        [(_, tellings)] = await Notices(one.hub.store).listed()
        [given_up] = [row for row in tellings if row["channel"] == "webhook" and row["occasion"] == "failures"]
        assert given_up["state"] == "given_up"

    told(database_url, tmp_path, declared(duty, desk), story, failures=1)


def test_nobody_is_told_where_nothing_is_declared_and_nothing_listens_harms_nothing(
    database_url: str, tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = WebhookFile(url=f"http://127.0.0.1:{closed.getsockname()[1]}/", secret="x")

        async def story(one: Yard, mine: Notifier) -> None:
            one.after = timedelta(minutes=2)
            await mine.round()
            [(notice, tellings)] = await Notices(one.hub.store).listed()
            assert (notice.count, [row["state"] for row in tellings]) == (1, ["due"])
            silent = replace(mine.hub, configuration=replace(mine.hub.configuration, notify=Notify()))
            one.after = timedelta(hours=5)
            await Notifier(silent).round()
            [(notice, tellings)] = await Notices(one.hub.store).listed()
            assert (notice.told, len(tellings)) == (2, 1)

        told(database_url, tmp_path, Notify(webhook=away), story, failures=1)


def test_the_settings_stand_in_city_yaml_with_secrets_from_the_environment(tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "config"
    shutil.copytree(example_city(), folder)
    file = folder / "city.yaml"
    whole = file.read_text(encoding="utf-8")
    webhook = 'notify: {remind: 2h, webhook: {url: "${DUTY_URL}", secret: "${DUTY_KEY}"}}\n'
    file.write_text(whole + webhook, encoding="utf-8")

    loaded = load(folder, ENVIRONMENT | {"DUTY_URL": "https://duty.example/x", "DUTY_KEY": "k"})
    assert loaded.notify.webhook == WebhookFile(url="https://duty.example/x", secret="k")
    assert loaded.notify.remind == timedelta(hours=2)
    assert "secret" not in repr(loaded.notify)

    _, findings = read(folder, ENVIRONMENT)
    assert ["notify.webhook.secret" in str(one) for one in findings if "DUTY_KEY" in str(one)] == [True]
    file.write_text(whole + "notify: {mail: {host: mail.example, sender: hub, to: []}}\n", encoding="utf-8")
    _, findings = read(folder, ENVIRONMENT)
    assert {"notify.mail.sender", "notify.mail.to"} <= {one.key for one in findings}
