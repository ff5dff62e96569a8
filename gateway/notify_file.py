"""`notify` of city.yaml: who is told when something waits for a person, and how."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.delivery.traffic_file import seconds


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebhookFile(_File):
    """JSON, posted and signed."""

    url: str = Field(min_length=1, description="address that notices are posted to, such as ${NOTIFY_URL}")
    secret: str = Field(min_length=1, description="key of the signature, as ${NAME}")


class MailFile(_File):
    """One mail a notice."""

    host: str = Field(min_length=1, description="name of the mail server")
    port: int = Field(default=587, ge=1, le=65535, description="its port")
    starttls: bool = Field(default=True, description="encrypt before anything is said; false only inside one machine")
    ca: str = Field(default="", description="file of the certificates that vouch for the server; default: the system's")
    sender: str = Field(min_length=3, pattern=r"^[^\s@]+@[^\s@]+$", description="address that mails come from")
    to: list[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")]] = Field(
        min_length=1, max_length=50, description="addresses that mails go to"
    )
    user: str = Field(default="", description="account at the mail server, as ${NAME}; empty: none is asked for")
    password: str = Field(default="", description="its password, as ${NAME}")


class NotifyFile(_File):
    """Nobody, unless something is declared."""

    webhook: WebhookFile | None = Field(default=None, description="post notices to a service")
    mail: MailFile | None = Field(default=None, description="send notices by mail")
    gather: Annotated[float, BeforeValidator(seconds)] = Field(
        default=60, ge=0, le=3600, description="failures of one system within this time make one notice, such as 60s"
    )
    remind: Annotated[float, BeforeValidator(seconds)] = Field(
        default=14400, ge=60, description="time after which what still waits is told again, such as 4h"
    )


@dataclass(frozen=True, slots=True)
class Notify:
    """The same, with secrets filled in."""

    gather: timedelta = timedelta(minutes=1)
    remind: timedelta = timedelta(hours=4)
    webhook: WebhookFile | None = field(default=None, repr=False)
    mail: MailFile | None = field(default=None, repr=False)


def notify(file: NotifyFile, filled: Callable[[str, str], str]) -> Notify:
    """The settings. `filled(key, text)` puts the variables of the environment in."""
    webhook, mail = file.webhook, file.mail
    if webhook is not None:
        values = {name: filled(f"notify.webhook.{name}", getattr(webhook, name)) for name in ("url", "secret")}
        webhook = webhook.model_copy(update=values)
    if mail is not None:
        values = {name: filled(f"notify.mail.{name}", getattr(mail, name)) for name in ("host", "user", "password")}
        mail = mail.model_copy(update=values)
    return Notify(timedelta(seconds=file.gather), timedelta(seconds=file.remind), webhook, mail)
