"""The AsyncAPI document says what the hub publishes: made from the model, kept in docs, served by the API."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from canonical.announcement import cloud_event, routing_key
from canonical.lifecycle import ActionKind
from gateway.announce import CONTENT_TYPE, EXCHANGE
from gateway.asyncapi import document, page
from tests.canonical.values import collected
from tests.gateway.running import HubUnderTest

KEPT = Path(__file__).parents[2] / "docs" / "schema" / "asyncapi.yaml"


def references(value: Any) -> set[str]:
    """Every `$ref` anywhere in it."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own | {one for part in value.values() for one in references(part)}
    return {one for part in value for one in references(part)} if isinstance(value, list) else set()


def found(reference: str) -> Any:
    """What a reference means."""
    place: Any = document()
    for part in reference.removeprefix("#/").split("/"):
        place = place[part]
    return place


def test_the_kept_document_is_the_one_that_is_made() -> None:
    assert KEPT.read_text(encoding="utf-8") == page(), (
        "write it: python -m gateway.asyncapi > docs/schema/asyncapi.yaml"
    )
    assert yaml.safe_load(page()) == document()


def test_it_has_the_parts_that_asyncapi_3_wants_and_every_reference_means_something() -> None:
    made = document()

    assert made["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= made["info"].keys()
    assert all(found(reference) for reference in references(made))
    [operation] = made["operations"].values()
    assert operation["action"] == "send"
    assert references(operation) <= {f"#/channels/{name}" for name in made["channels"]} | {
        f"#/channels/{name}/messages/{one}" for name, channel in made["channels"].items() for one in channel["messages"]
    }


def test_channel_and_message_are_those_the_publisher_uses() -> None:
    [channel] = document()["channels"].values()

    assert channel["bindings"]["amqp"]["exchange"]["name"] == EXCHANGE
    assert channel["parameters"]["action"]["enum"] == list(ActionKind)
    assert channel["address"].split(".")[0] == routing_key(*collected()).split(".")[0]
    assert document()["components"]["messages"]["caseEvent"]["contentType"] == CONTENT_TYPE


def test_what_is_published_is_as_the_document_says_and_other_things_are_not() -> None:
    made = document()
    schema = {"$ref": "#/components/schemas/CloudEvent", "components": made["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    event, case = collected()
    told = json.loads(json.dumps(cloud_event(event, case, city="3402")))

    validator.validate(told)
    for wrong in ({"type": "gridhub.case.dance"}, {"specversion": "0.3"}, {"data": {"seq": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(told | wrong)


def test_the_api_serves_it_to_everybody(hub: HubUnderTest) -> None:
    assert hub.client.get("/api/asyncapi.json").json() == document()
    assert hub.get("/api/bus") == {"since": None, "waiting": 0, "oldest": None, "set_aside": 0, "trouble": ""}
