"""The AsyncAPI document of what the hub publishes: for platforms that listen at the bus. Made from the model.

python -m gateway.asyncapi > docs/schema/asyncapi.yaml
"""

import sys
from typing import Any

import yaml

from canonical.announcement import NONE, SCHEMA, TYPE, WORD, Announcement
from canonical.lifecycle import BY_ACTION, ActionKind
from gateway.announce import CONTENT_TYPE, EXCHANGE

_VERSION = "1.0.0"
"""Of this document. A consumer that knows 1.0 can read every 1.x: things are only added."""
_BINDING = "0.3.0"
"""Of AsyncAPI's words about AMQP 0-9-1."""
_SCHEMAS = "#/components/schemas/"
_MESSAGE, _CHANNEL = "caseEvent", "caseEvents"

_ADDRESS = {
    "action": "what was done: one of the actions of the lifecycle table",
    "source": "the system whose report opened the case",
    "owner": f"the system that carries the work after this event; `{NONE}` where none does",
    "area": "division of the case, one word a level as far as it is known: county (6 digits), street (3), community "
    f"(3); a city's 4 digits alone, or `{NONE}`",
}
"""The words of a routing key after the first."""


def document() -> dict[str, Any]:
    """The whole document."""
    schemas = _schemas()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:gridhub:events",
        "info": {
            "title": "gridhub: what happens to cases", "version": _VERSION, "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "bus": {
                "host": "{host}", "protocol": "amqp", "protocolVersion": "0.9.1",
                "description": "the city's RabbitMQ; its operators give you an account that may read",
                "variables": {"host": {"description": "host and port", "default": "localhost:5672"}},
                "security": [{"$ref": "#/components/securitySchemes/account"}],
            }
        },
        "channels": {_CHANNEL: _channel()},
        "operations": {
            "announce": {
                "action": "send", "channel": {"$ref": f"#/channels/{_CHANNEL}"},
                "summary": "the hub tells what happened, at least once, each case's events in order",
                "messages": [{"$ref": f"#/channels/{_CHANNEL}/messages/{_MESSAGE}"}],
                "bindings": {"amqp": {"deliveryMode": 2, "mandatory": False, "bindingVersion": _BINDING}},
            }
        },
        "components": {
            "messages": {_MESSAGE: _message()},
            "schemas": {"CloudEvent": _envelope(), **schemas},
            "securitySchemes": {"account": {"type": "userPassword", "description": "name and password at the broker"}},
        },
    }  # fmt: skip


_ABOUT = """\
Each event of a case as a CloudEvent 1.0 in structured JSON on a durable topic exchange. Bind a durable queue of your
own to it, quorum where it matters. You hear an event at least once: drop what you know by `id` (or by `subject` and
`sequence`, which counts from 1 within a case without gaps). After dropping repetitions each case's events come in
order. Nothing that a person wrote or is stands in it unless the city declared the right to it; fields left out have
their default."""


def _channel() -> dict[str, Any]:
    actions = [str(kind) for kind in ActionKind]
    parameters: dict[str, Any] = {name: {"description": text} for name, text in _ADDRESS.items()}
    parameters["action"]["enum"] = actions
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": ".".join([WORD, *(f"{{{name}}}" for name in _ADDRESS)]),
        "title": "events of cases", "description": _BINDINGS,
        "parameters": parameters,
        "messages": {_MESSAGE: {"$ref": f"#/components/messages/{_MESSAGE}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING}},
    }  # fmt: skip


_BINDINGS = """\
Bindings: `case.#` everything; `case.close.#` every closing; `case.*.hotline_12345.#` all of one source's cases;
`case.*.*.works.#` while one system carries the work; `case.*.*.*.340202.#` one county, `case.*.*.*.340202.001.#` one
street of it."""


def _message() -> dict[str, Any]:
    return {
        "name": _MESSAGE, "title": "something happened to a case", "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"{_SCHEMAS}CloudEvent"},
        "correlationId": {"description": "the case's number", "location": "$message.payload#/subject"},
        "bindings": {"amqp": {"messageType": f"{TYPE}{{action}}", "bindingVersion": _BINDING}},
        "description": "AMQP properties repeat `id` as message-id, `type` as type and `time` as timestamp.",
    }  # fmt: skip


def _envelope() -> dict[str, Any]:
    """CloudEvents 1.0, with the documented extensions `sequence` and `partitionkey`."""
    texts = {
        "id": "the same for each telling of the event",
        "source": "urn:gridhub:city: and the city's 4 digits",
        "subject": "the case's number",
        "partitionkey": "the case's number: what must stay in order",
        "sequence": "the event's number within the case, ten digits: sorts as text",
    }
    properties: dict[str, Any] = {name: {"type": "string", "description": text} for name, text in texts.items()}
    types = {f"{TYPE}{row.action}": row.title for row in BY_ACTION.values()}
    properties |= {
        "specversion": {"type": "string", "const": "1.0"},
        "type": {
            "type": "string", "enum": list(types), "description": ", ".join(f"{k} {v}" for k, v in types.items()),
        },
        "time": {"type": "string", "format": "date-time", "description": "when, by the hub's clock"},
        "datacontenttype": {"type": "string", "const": "application/json"},
        "dataschema": {"type": "string", "const": SCHEMA},
        "data": {"$ref": f"{_SCHEMAS}{Announcement.__name__}"},
    }  # fmt: skip
    return {"type": "object", "required": sorted(properties), "properties": properties}


def _schemas() -> dict[str, Any]:
    """The model's own schema, its parts beside it as AsyncAPI wants them."""
    made = Announcement.model_json_schema(mode="serialization", ref_template=_SCHEMAS + "{model}")
    parts: dict[str, Any] = made.pop("$defs")
    return {Announcement.__name__: made, **parts}


def page() -> str:
    """The document as YAML."""
    return yaml.safe_dump(document(), allow_unicode=True, sort_keys=False, width=120)


if __name__ == "__main__":
    sys.stdout.write(page())
