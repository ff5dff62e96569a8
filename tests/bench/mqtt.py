"""`python -m tests.bench.mqtt`: properties of sensors a second, from a real broker through worker, filter and database.

A worker process of its own receives what 1,000 water level sensors publish at QoS 1; one in twenty is flooded. A
message counts when it is committed. `one_core_per_second` is what the worker's processor time alone would allow.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from tests.connectors.servers.mosquitto import PASSWORD, USERNAME, mosquitto
from tests.ports import find_port

ROOT = Path(__file__).parents[2]
DEVICES = 1000
_SYSTEM = """
sensors:
  adapter: sensors
  url: ${SENSORS_URL}
  secrets: {username: "${SENSORS_NAME}", password: "${SENSORS_WORD}"}
  ledgers: {devices: sensors.csv}
"""


def publications(count: int) -> Iterator[tuple[str, bytes]]:
    """Topic and message, round by round over all devices."""
    chance, start = random.Random(7), datetime.now(UTC) - timedelta(minutes=5)
    for number in range(count):
        device, round_ = number % DEVICES, number // DEVICES
        flooded = device % 20 == 0
        level = chance.randint(40, 60) if flooded else chance.randint(1, 15)
        at = (start + timedelta(seconds=round_ * 10)).strftime("%Y%m%dT%H%M%SZ")
        properties = {"level_cm": level, "alarm": 1 if flooded else 0}
        body = {"services": [{"service_id": "WaterLevel", "properties": properties, "event_time": at}]}
        yield f"$oc/devices/demo-wl-{device:05}/sys/properties/report", json.dumps(body).encode()


def publish(port: int, count: int) -> None:
    """All of them, as fast as the broker takes them."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench")
    client.username_pw_set(USERNAME, PASSWORD)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    last = [client.publish(topic, body, qos=1) for topic, body in publications(count)][-1]
    last.wait_for_publish(120)
    client.loop_stop()
    client.disconnect()


async def taken(url: str, count: int, seconds: float) -> int:
    """How many messages are in the journal: `count`, or fewer when the time is over."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    end, found = time.monotonic() + seconds, 0
    while found < count and time.monotonic() < end:
        found = await connection.fetchval("SELECT count(*) FROM message WHERE direction = 'in'")
        await asyncio.sleep(0.02)
    await connection.close()
    return found


def processor(process: int) -> float:
    """Seconds of processor time a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(database: str, port: int, count: int, folder: Path) -> dict[str, float]:
    """One worker against the broker."""
    city = folder / "city"
    shutil.copytree(ROOT / "config", city)
    with (city / "systems.yaml").open("a", encoding="utf-8") as file:
        file.write(_SYSTEM)
    rows = [f"demo-wl-{one:05},积水监测,示例积水点{one},118.3829,31.3476,WGS84,示例路{one}号" for one in range(DEVICES)]
    head = "device_id,kind,name,lon,lat,crs,address"
    (city / "sensors.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    given = {
        "GRIDHUB_CONFIG": str(city), "GRIDHUB_DATABASE_URL": database, "GRIDHUB_DATA": str(folder / "data"),
        "GRIDHUB_CENTRE_TOKEN": "bench", "SENSORS_URL": f"mqtt://127.0.0.1:{port}", "SENSORS_NAME": USERNAME,
        "SENSORS_WORD": PASSWORD, **dict.fromkeys(("HOTLINE_URL", "URBAN_URL", "GRID_URL"), "http://127.0.0.1:9"),
        **dict.fromkeys(("HOTLINE_TOKEN", "URBAN_VALIDATE", "GRID_TOKEN", "GRID_PASSWORD"), "bench"),
    }  # fmt: skip
    command = [sys.executable, "-m", "gateway", "work", "--role", "receive"]
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **given}, stdout=log, stderr=log)
    try:
        before = 0
        while not before:  # until it has subscribed
            publish(port, 1)
            before = asyncio.run(taken(database, 1, 1))
        began, spent = time.perf_counter(), processor(worker.pid)
        publish(port, count)
        if asyncio.run(taken(database, before + count, 300)) < before + count:
            sys.exit(f"not taken in time; the worker's log: {(folder / 'log').read_text()[-2000:]}")
        took, used = time.perf_counter() - began, processor(worker.pid) - spent
    finally:
        worker.terminate()
        worker.wait(30)
    return {"messages": count, "per_second": count / took, "one_core_per_second": count / used}


def main() -> None:
    """Print the figures as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    chosen = parser.parse_args()
    with EmbeddedPostgres(None) as server, mosquitto(find_port) as broker, tempfile.TemporaryDirectory() as folder:
        asyncio.run(migrate(server.url))
        figures = measured(server.url, broker.port, chosen.messages, Path(folder))
    sys.stdout.write(json.dumps({name: round(value) for name, value in figures.items()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
