"""What a clock's time went by: it ran, stood still, and ran again, in the measure of its limits."""

from datetime import timedelta

from tests.gateway.conftest import StartHub
from tests.gateway.joint_city import Hours
from tests.gateway.pushes import hotline, ticket


def test_a_ledger_tells_its_spans_and_they_add_up(start_hub: StartHub) -> None:
    hours, hub = Hours(), start_hub(doors=False)
    hub.now = hours.now
    hub.open_doors()
    assert hotline(ticket("1", accordType="0405", rqstContent="路面塌陷")).to(hub).json()["custom"]["code"] == "1"
    no = hub.get("/api/cases")["items"][0]["no"]
    hours.forward(hours=1)
    hub.act(no, kind="suspend", until=(hours.now() + timedelta(days=9)).isoformat(), reason="等吊车")
    hours.forward(hours=2)
    hub.act(no, kind="resume", reason="吊车已到")
    hours.forward(minutes=30)

    [disposal] = [one for one in hub.case(no)["clocks"] if one["clock"] == "disposal"]

    spans = [(one["paused"], round(one["seconds"] / 600)) for one in disposal["spans"]]
    assert spans == [(False, 6), (True, 12), (False, 3)]
    running = sum(one["seconds"] for one in disposal["spans"] if not one["paused"])
    assert abs(running - disposal["used_seconds"]) <= 2
    assert [one["until"] for one in disposal["spans"]][:-1] == [one["since"] for one in disposal["spans"]][1:]
