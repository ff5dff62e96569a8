"""What goes wrong at a broker is told once, by us: the client library adds no lines of its own."""

from collections.abc import Iterator

import pytest

from canonical.errors import ContractViolation
from tests.connectors.servers.rabbitmq import RabbitMq, rabbitmq
from tests.connectors.test_amqp import receiver
from tests.ports import find_port


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    with rabbitmq(find_port) as running:
        yield running


def test_a_queue_that_is_not_there_is_told_by_our_error_alone(
    broker: RabbitMq, caplog: pytest.LogCaptureFixture
) -> None:
    hearing = receiver(broker.url, "nowhere")
    with pytest.raises(ContractViolation):
        hearing.receive(most=1, wait=5)
    hearing.close()
    assert [record.name for record in caplog.records if record.name.startswith("pika")] == []
