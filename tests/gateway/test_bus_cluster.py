"""A RabbitMQ of three nodes loses one under load: its queue's leader, and the node both sides are connected to."""

import time
from collections.abc import Callable, Iterator

import pytest

from connectors.bus import BusAccount
from tests.connectors.servers.rabbitmq import EPMD, PASSWORD, PROGRAM, USERNAME, RabbitCluster, cluster
from tests.gateway.listening import Listener
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_announcing import ANNOUNCE, tickets, waiting
from tests.ports import find_port

pytestmark = pytest.mark.skipif(not PROGRAM.exists() or EPMD is None, reason="RabbitMQ is not installed")


@pytest.fixture(scope="module")
def nodes() -> Iterator[RabbitCluster]:
    """Three nodes that are one broker."""
    with cluster(find_port) as made:
        yield made


def test_the_node_that_leads_the_queue_dies_under_load_and_nothing_is_missing_or_out_of_order(
    start_hub: Callable[..., HubUnderTest], nodes: RabbitCluster
) -> None:
    hub = start_hub(bus=BusAccount(nodes.urls, USERNAME, PASSWORD, timeout=5.0))
    hub.rows("INSERT INTO publication (name, since) VALUES ('events', now())")
    leader = nodes.nodes[0]  # a queue is led from the node where it was declared
    with Listener([node.port for node in nodes.nodes]) as platform:
        hub.start_worker(ANNOUNCE)
        with tickets(hub, "c"):
            platform.until_more(10)
            leader.kill()
            platform.until_more(50)
            time.sleep(1)
        platform.until_heard(hub)
        until(lambda: waiting(hub) == 0, what="forgetting what was told")
        hub.stop_worker()
