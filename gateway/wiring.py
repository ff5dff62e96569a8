"""Wiring of one connected system: its declaration and the city's settings become a connector and receivers.

The one place that knows every transport. Whatever is wrong with the settings is Misconfigured, and says what to set.
A transport that brings a library of its own is imported when a system speaks it: all together are a sixth of a start.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adapters import Account, Receiver
from canonical import ports
from canonical.errors import Misconfigured
from connectors.credentials import Credentials, Scheme
from connectors.exchange_table import Table, TableConnector, TableReceiver
from connectors.http import HttpConnector
from gateway.configuration import ConnectedSystem
from gateway.hub import Hub

_BEGIN = "-----BEGIN"
"""How the text of a private key begins; anything else is the path of its file."""

_LOOKS_LIKE = {
    "http": "https://host/path", "soap": "https://host/path", "table": "postgresql+psycopg://host/database",
    "files": "file:///folder or sftp://host/folder", "mqtt": "mqtts://host", "amqp": "amqps://host/vhost",
}  # fmt: skip


def worked(hub: Hub) -> Iterator[tuple[str, ConnectedSystem]]:
    """Systems that a worker has to do with: not paused, with an address of their own or of a receiver."""
    for name, connected in hub.configuration.systems.items():
        if not connected.paused and (connected.url or any(map(connected.address, _receivers(connected)))):
            yield name, connected


def connector_for(hub: Hub, connected: ConnectedSystem, *, max_answer: int = 0) -> ports.Connector:
    """The transport that the declaration names. `max_answer`: bytes of an answer, where they are more than declared.

    Raises Misconfigured when the settings cannot be right.
    """
    name, protocol = connected.system.role.id, connected.system.connector.protocol
    make = _CONNECTORS.get(protocol)
    if make is None:
        raise Misconfigured(f"{name}: no connector speaks '{protocol}'")
    if not connected.url:
        raise Misconfigured(f"{name}.url: set an address such as {_LOOKS_LIKE[protocol]}")
    try:
        return make(hub, connected, max(max_answer, connected.system.connector.max_answer))
    except Misconfigured as error:
        raise Misconfigured(f"{name}: {error}; see url in systems.yaml and connector.account in system.yaml") from None


def receiver_for(
    hub: Hub, connected: ConnectedSystem, receiver: Receiver, memory: ports.Memory
) -> ports.Receiver:  # fmt: skip
    """What fetches from the declared table, folder, topics or queue; nothing is reached before its first `receive`.

    Raises Misconfigured when the settings cannot be right.
    """
    name, kind = connected.system.role.id, receiver.declared.kind
    where = f"{name}.urls.{receiver.name}"
    if not connected.address(receiver.name):
        raise Misconfigured(f"{where}: set an address such as {_LOOKS_LIKE[kind]}")
    try:
        return _RECEIVERS[kind](hub, connected, receiver, memory)
    except Misconfigured as error:
        text = f"{where}: {error}; see url and urls in systems.yaml and receivers.{receiver.name}.account"
        raise Misconfigured(f"{text} in system.yaml") from None


def credentials(account: Account) -> Credentials:
    """What an HTTP connector shows. Raises Misconfigured."""
    return Credentials(
        scheme=cast("Scheme", account.scheme), username=account.username, password=account.password,
        certificate=account.certificate, key=account.key, ca=account.ca,
    )  # fmt: skip


def _receivers(connected: ConnectedSystem) -> Iterator[str]:
    return (receiver.name for receiver in connected.system.receivers)


def _database_url(url: str, account: Account) -> str:
    """The URL with the account's name and password, where it has none of its own. Raises Misconfigured."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # their texts may quote the password
        raise Misconfigured("the database URL must look like dialect+driver://host:port/database") from None
    if account.username and address.username is None:
        address = address.set(username=account.username, password=account.password or None)
    return address.render_as_string(hide_password=False)


def _with_key(account: Account) -> Account:
    """The account with the text of its private key, where its file was named. Raises Misconfigured."""
    if not account.private_key or account.private_key.lstrip().startswith(_BEGIN):
        return account
    try:
        text = Path(account.private_key).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"account.private_key: no key's text, and no file to read ({type(error).__name__})"
        ) from None
    return replace(account, private_key=text)


# --- connectors ---


def _http(hub: Hub, connected: ConnectedSystem, most: int) -> ports.Connector:
    facts = connected.system.connector
    return HttpConnector(
        connected.url, timeout=facts.timeout, ids=hub.ids, now=hub.now, credentials=credentials(facts.account),
        max_answer=most,
    )  # fmt: skip


def _soap(hub: Hub, connected: ConnectedSystem, most: int) -> ports.Connector:
    from connectors.soap import SoapConnector

    facts = connected.system.connector
    return SoapConnector(
        connected.url, facts.wsdls, timeout=facts.timeout, ids=hub.ids, now=hub.now,
        credentials=credentials(facts.account), max_answer=most, version=facts.soap, prefix=facts.prefix,
    )  # fmt: skip


def _table(hub: Hub, connected: ConnectedSystem, _: int) -> ports.Connector:
    facts = connected.system.connector
    url = _database_url(connected.url, facts.account)
    return TableConnector(url, ids=hub.ids, now=hub.now, timeout=facts.timeout, zone=connected.system.zone)


def _files(hub: Hub, connected: ConnectedSystem, _: int) -> ports.Connector:
    from connectors.files import FileConnector

    facts = connected.system.connector
    account = _with_key(facts.account)
    return FileConnector(
        connected.url, ids=hub.ids, now=hub.now, timeout=facts.timeout, username=account.username,
        password=account.password, private_key=account.private_key, host_key=account.host_key,
    )  # fmt: skip


def _mqtt(hub: Hub, connected: ConnectedSystem, _: int) -> ports.Connector:
    from connectors.mqtt import MqttConnector

    facts, account = connected.system.connector, connected.system.connector.account
    # No client id: processes that publish side by side would throw one another out.
    return MqttConnector(
        connected.url, ids=hub.ids, now=hub.now, timeout=facts.timeout, username=account.username,
        password=account.password, ca=account.ca, certificate=account.certificate, key=account.key,
    )  # fmt: skip


def _amqp(hub: Hub, connected: ConnectedSystem, _: int) -> ports.Connector:
    from connectors.amqp import AmqpConnector

    facts, account = connected.system.connector, connected.system.connector.account
    return AmqpConnector(
        connected.url, ids=hub.ids, now=hub.now, timeout=facts.timeout, username=account.username,
        password=account.password, ca=account.ca, certificate=account.certificate, key=account.key,
    )  # fmt: skip


_CONNECTORS: Mapping[str, Callable[[Hub, ConnectedSystem, int], ports.Connector]] = MappingProxyType(
    {"http": _http, "soap": _soap, "table": _table, "files": _files, "mqtt": _mqtt, "amqp": _amqp}
)


# --- receivers ---


def _table_receiver(
    hub: Hub, connected: ConnectedSystem, receiver: Receiver, memory: ports.Memory
) -> ports.Receiver:  # fmt: skip
    declared = receiver.declared.table
    assert declared is not None
    return TableReceiver(
        _database_url(connected.address(receiver.name), receiver.account), Table(**dict(declared)),
        system=connected.system.role.id, door=receiver.name, memory=memory, ids=hub.ids, now=hub.now,
        zone=connected.system.zone, timeout=receiver.declared.timeout,
    )  # fmt: skip


def _file_receiver(
    hub: Hub, connected: ConnectedSystem, receiver: Receiver, memory: ports.Memory
) -> ports.Receiver:  # fmt: skip
    from connectors.files import Drop, FileReceiver

    declared, account = receiver.declared.files, _with_key(receiver.account)
    assert declared is not None
    return FileReceiver(
        connected.address(receiver.name), Drop(**dict(declared)), system=connected.system.role.id, door=receiver.name,
        memory=memory, ids=hub.ids, now=hub.now, timeout=receiver.declared.timeout, username=account.username,
        password=account.password, private_key=account.private_key, host_key=account.host_key,
    )  # fmt: skip


def _mqtt_receiver(
    hub: Hub, connected: ConnectedSystem, receiver: Receiver, _: ports.Memory
) -> ports.Receiver:  # fmt: skip
    from connectors.mqtt import MqttReceiver

    declared, account = receiver.declared.mqtt, receiver.account
    assert declared is not None
    return MqttReceiver(
        connected.address(receiver.name), declared.topics, system=connected.system.role.id, door=receiver.name,
        ids=hub.ids, now=hub.now, timeout=receiver.declared.timeout, qos=declared.qos, share=declared.share,
        client_id=account.client_id, username=account.username, password=account.password, ca=account.ca,
        certificate=account.certificate, key=account.key, retained=declared.retained, version=declared.version,
        inflight=max(1000, 2 * receiver.declared.batch),  # one batch in the database, one on its way here
    )  # fmt: skip


def _amqp_receiver(
    hub: Hub, connected: ConnectedSystem, receiver: Receiver, _: ports.Memory
) -> ports.Receiver:  # fmt: skip
    from connectors.amqp import AmqpReceiver

    declared, account = receiver.declared.amqp, receiver.account
    assert declared is not None
    return AmqpReceiver(
        connected.address(receiver.name), declared.queue, system=connected.system.role.id, door=receiver.name,
        ids=hub.ids, now=hub.now, timeout=receiver.declared.timeout, username=account.username,
        password=account.password, prefetch=declared.prefetch, declare=declared.declare_, bindings=declared.bindings,
        ca=account.ca, certificate=account.certificate, key=account.key,
    )  # fmt: skip


_RECEIVERS: Mapping[str, Callable[[Hub, ConnectedSystem, Receiver, ports.Memory], ports.Receiver]] = MappingProxyType(
    {"table": _table_receiver, "files": _file_receiver, "mqtt": _mqtt_receiver, "amqp": _amqp_receiver}
)
