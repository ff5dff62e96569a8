"""The bus by itself, and AMQP in to AMQP out through the canonical model; beside plain pika in the same run.

    python -m tests.bench.bus [--rounds 5] [--messages 10000]

A private broker of one node, all queues quorum, all messages persistent. `relay`: 300 bytes each to a queue, one
connection, a window of confirms; beside it one that waits for each confirm. `through`: messages of a queue are taken in
batches, read by a declaration (JSON, contract, code tables, time), become a case with its first event, are rendered as
CloudEvents, published on a topic exchange with a bound queue, confirmed, and only then acknowledged at the queue they
came from. No database is in that way, and no filing. Beside it a plain program: parse, make a JSON document, publish
and wait for the confirm, acknowledge, one by one. Rounds are interleaved; figures are medians.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
from pika import BasicProperties, BlockingConnection, ConnectionParameters, DeliveryMode, PlainCredentials

import adapters
from adapters import System
from canonical.announcement import cloud_event, routing_key
from canonical.case import Action, Actor, Case, Event
from canonical.ids import new_id
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.place import Place
from canonical.reading import Reading
from canonical.time import SHANGHAI
from connectors.amqp import AmqpReceived, AmqpReceiver
from connectors.amqp_window import Post
from connectors.bus import BusAccount, BusPublisher, Queue, Topology, persistent
from gateway.serve import steady
from tests.connectors.servers.rabbitmq import PASSWORD, USERNAME, RabbitMq, rabbitmq
from tests.ports import find_port

BATCH = 1000
_FOLDER = {
    "system.yaml": """
title: 工单
edition: bench
roles: [source]
connector: {protocol: amqp, timeout: 15}
receivers:
  orders:
    amqp: {queue: bench.in}
    shape: [json]
    messages: [report]
""",
    "messages/report.yaml": """
direction: in
title: 工单
contract: order.schema.json
external_id: {from: id}
report:
  title: {from: title}
  description: {from: text}
  class: {from: kind, codes: kinds}
  address: {from: address}
  reported_at: {from: at, time: "yyyy-MM-dd HH:mm:ss"}
  urgency: {from: level, codes: levels}
""",
    "codes/kinds.csv": "local,canonical,title\n01,30428.2:E04-06,摊\n",
    "codes/levels.csv": "local,canonical,title\n1,normal,一般\n2,urgent,紧急\n",
    "contract/order.schema.json": """{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
"required": ["id", "title", "kind", "at"], "properties": {"id": {"type": "string"}, "title": {"type": "string"},
"text": {"type": "string"}, "kind": {"type": "string"}, "address": {"type": "string"}, "at": {"type": "string"},
"level": {"enum": ["1", "2"]}}}""",
}


def order(number: int) -> bytes:
    """A work order of some platform."""
    return orjson.dumps({
        "id": f"W{number:08}", "title": "占道经营", "text": "示例路口有摊贩占道, 行人须绕行。", "kind": "01",
        "address": "镜湖区示例路8号", "at": "2026-05-20 09:30:00", "level": "1",
    })  # fmt: skip


@contextmanager
def channel(broker: RabbitMq) -> Iterator[Any]:
    """A plain program's channel."""
    credentials = PlainCredentials(USERNAME, PASSWORD)
    with BlockingConnection(ConnectionParameters("127.0.0.1", broker.port, credentials=credentials)) as connection:
        yield connection.channel()


class Rate(NamedTuple):
    """Messages a second by the clock, and as many as this process's processor time would allow on one core."""

    clock: float
    core: float


def timed(work: Callable[[], int]) -> Rate:
    """How fast that was."""
    began, spent = time.perf_counter(), time.process_time()
    count = work()
    return Rate(count / (time.perf_counter() - began), count / (time.process_time() - spent))


# --- relay ---


def relayed(publisher: BusPublisher, count: int) -> int:
    """As many messages, with a window of confirms."""
    posts = [
        Post("", "bench.relay", b"x" * 300, persistent(id=f"{n}", kind="t", at=0, content_type="x"))
        for n in range(count)
    ]
    for start in range(0, count, BATCH * 2):
        assert publisher.publish(posts[start : start + BATCH * 2]).whole
    return count


def each_confirmed(plain: Any, count: int) -> int:
    """As many, each confirmed before the next."""
    properties = BasicProperties(delivery_mode=DeliveryMode.Persistent)
    for _ in range(count):
        plain.basic_publish("", "bench.relay", b"x" * 300, properties)
    return count


# --- through ---


def fill(publisher: BusPublisher, count: int) -> None:
    """So many orders wait."""
    posts = [
        Post("", "bench.in", order(n), persistent(id=f"{n}", kind="o", at=0, content_type="application/json"))
        for n in range(count)
    ]
    assert publisher.publish(posts).whole


def announced(system: System, received: AmqpReceived) -> Post:
    """One message read, made a case of, and told."""
    [reading] = system.read(received.message)
    assert isinstance(reading, Reading)
    report = reading.report
    assert report is not None
    at = received.message.at
    actor, place = Actor(party=Party.SOURCE, id=reading.system), Place(address=report.address)
    action = Action(
        kind=ActionKind.COLLECT, actor=actor, at=at, report=report, place=place, class_code=report.class_code
    )
    event = Event(
        case_id=new_id(at), seq=1, from_=None, to=Stage.REPORTED, action=action, message_id=received.message.id
    )
    case = Case.opened(event, no="34022026052000000001", sequence=1)
    told = cloud_event(event, case, city="3402")
    properties = persistent(id=told["id"], kind=told["type"], at=0, content_type="application/cloudevents+json")
    return Post("bench.events", routing_key(event, case), orjson.dumps(told), properties, lane=event.case_id)


def through(receiver: AmqpReceiver, publisher: BusPublisher, system: System, count: int) -> int:
    """Everything that waits, in, through the canonical model, and out."""
    done = 0
    while done < count:
        batch = receiver.receive(most=BATCH, wait=5)
        assert publisher.publish([announced(system, one) for one in batch]).whole
        for one in batch:
            one.accept()
        done += len(batch)
    return done


def by_hand(plain: Any, count: int) -> int:
    """The same as a plain program: one by one, each confirmed."""
    properties = BasicProperties(delivery_mode=DeliveryMode.Persistent, content_type="application/cloudevents+json")
    done = 0
    for method, _, body in plain.consume("bench.in", inactivity_timeout=5):
        said = orjson.loads(body)
        data = {"title": said["title"], "class": {"01": "30428.2:E04-06"}[said["kind"]], "address": said["address"]}
        at = datetime.strptime(said["at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
        told = {"specversion": "1.0", "id": f"{uuid4()}", "type": "collect", "time": at.isoformat(), "data": data}
        plain.basic_publish("bench.events", "case.collect.a.none.none", orjson.dumps(told), properties)
        plain.basic_ack(method.delivery_tag)
        done += 1
        if done == count:
            break
    plain.cancel()
    return done


def measured(broker: RabbitMq, folder: Path, rounds: int, count: int) -> dict[str, list[Rate]]:
    """Rounds of all four, side by side."""
    for name, text in _FOLDER.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    system = adapters.load(folder, {})
    queues = (Queue("bench.relay"), Queue("bench.in"), Queue("bench.out", bindings=(("bench.events", "case.#"),)))
    publisher = BusPublisher(
        BusAccount([broker.url], USERNAME, PASSWORD, timeout=60),
        Topology(topics=("bench.events",), queues=queues),
        name="bench",
    )
    publisher.publish([])
    receiver = AmqpReceiver(
        broker.url, "bench.in", system="bench", door="orders", ids=uuid4, now=lambda: datetime.now(SHANGHAI),
        timeout=60, username=USERNAME, password=PASSWORD, prefetch=2 * BATCH,
    )  # fmt: skip
    figures: dict[str, list[Rate]] = {"relay": [], "each": [], "through": [], "hand": []}
    with channel(broker) as plain:
        plain.confirm_delivery()
        for _ in range(rounds):
            figures["relay"].append(timed(lambda: relayed(publisher, count)))
            figures["each"].append(timed(lambda: each_confirmed(plain, count // 20)))
            fill(publisher, count)
            figures["through"].append(timed(lambda: through(receiver, publisher, system, count)))
            receiver.close()
            fill(publisher, count // 20)
            figures["hand"].append(timed(lambda: by_hand(plain, count // 20)))
            for queue in ("bench.relay", "bench.in", "bench.out"):
                plain.queue_purge(queue)
    publisher.close()
    return figures


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--messages", type=int, default=10_000)
    told = options.parse_args()
    steady()
    with rabbitmq(find_port) as broker, tempfile.TemporaryDirectory() as folder:
        figures = measured(broker, Path(folder), told.rounds, told.messages)
    labels = {
        "relay": "relay, a window of confirms", "each": "plain pika, each confirmed",
        "through": "AMQP in, canonical, AMQP out", "hand": "the same by hand, one by one",
    }  # fmt: skip
    for name, label in labels.items():
        rates, cores = zip(*figures[name], strict=True)
        told_ = f"{statistics.median(rates):8.0f} a second ({min(rates):.0f} - {max(rates):.0f})"
        print(f"{label:36}{told_:36}{statistics.median(cores):8.0f} by the processor time of this process")
    for name, other in (("relay", "each"), ("through", "hand")):
        ratio = statistics.median(one.clock / two.clock for one, two in zip(figures[name], figures[other], strict=True))
        print(f"{labels[name]} / {labels[other]}: {ratio:.1f}")


if __name__ == "__main__":
    main()
