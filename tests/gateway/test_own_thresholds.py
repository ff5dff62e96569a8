"""Each device may have a threshold of its own: it stands in the city's ledger, and the value is what exceeds it."""

from pathlib import Path

import adapters
from canonical.reading import Reading
from tests.gateway.market import folder
from tests.gateway.test_receivers import told

VALUE = "num(doc.title) - num(device('devices', doc.id, 'limit'))"
MORE = {
    "system.yaml": "ledgers: {devices: {title: 台账, columns: [id, limit]}}\nalarms: {level: {raise_at: 0}}\n",
    "messages/complaint.yaml": f'alarm: {{device: {{from: id}}, kind: {{text: level}}, value: {{expr: "{VALUE}"}}}}\n',
}


def test_the_same_level_is_above_the_limit_of_one_device_and_below_that_of_another(tmp_path: Path) -> None:
    declared = folder(tmp_path, "amqp: {queue: q, declare: true}", protocol="amqp")
    for name, text in MORE.items():
        with (declared / name).open("a", encoding="utf-8") as file:
            file.write(text)
    ledger = tmp_path / "devices.csv"
    ledger.write_text("id,limit\nd1,5\nd2,9\n", encoding="utf-8")
    system = adapters.load(declared, {"name": "u", "word": "w"}, name="market", ledgers={"devices": ledger})

    values = {}
    for device in ("d1", "d2"):
        [reading] = system.read(told("/q", device, title="6.5"))
        assert isinstance(reading, Reading)
        assert reading.alarm is not None
        values[device] = reading.alarm.value
    assert values == {"d1": 1.5, "d2": -2.5}
