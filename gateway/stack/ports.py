"""Ports of the stack: one a name, in a row from the first and so the same in every run; or free ones."""

import socket
from contextlib import ExitStack

from canonical.errors import Misconfigured
from gateway.stack.services import GATEWAYS, MAPS, SIMULATORS, WORKERS

OF_SERVERS = ("rabbitmq", "rabbitmq-node", "rabbitmq-names", "mosquitto", "prometheus")
_MAPS = tuple(name for service in MAPS for name in service.names)
"""Last, so that the ports of the others stay."""
NAMES = (*(name for service in (*GATEWAYS, *WORKERS, *SIMULATORS) for name in service.names), *OF_SERVERS, *_MAPS)


class Ports:
    """Name -> port on loopback. Raises Misconfigured when one of them is taken."""

    def __init__(self, base: int) -> None:
        wanted = [base + number if base else 0 for number in range(len(NAMES))]
        if base and wanted[-1] > _LAST:
            raise Misconfigured(f"{len(NAMES)} ports from {base} on end beyond {_LAST}: choose a lower --base-port")
        with ExitStack() as stack:  # all at once, so that no two get the same
            probes = [stack.enter_context(_probe(port)) for port in wanted]
            self._ports = {name: int(probe.getsockname()[1]) for name, probe in zip(NAMES, probes, strict=True)}

    def __getitem__(self, name: str) -> int:
        return self._ports[name]


_LAST = 65535


def _probe(port: int) -> socket.socket:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers of an earlier run is no obstacle
    try:
        probe.bind(("127.0.0.1", port))
    except OSError as error:
        probe.close()
        raise Misconfigured(
            f"port {port} is taken ({error.strerror}): end what listens there, or choose another --base-port"
        ) from None
    return probe
