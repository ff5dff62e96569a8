"""The table of what runs: gateways, workers by role, simulated systems. docker-compose.yml is checked against it."""

from dataclasses import dataclass

GATEWAY_PORT, WORKER_PORT, SIMULATOR_PORT, MAP_PORT = 8080, 9100, 8080, 8090
"""Ports inside containers, where each service has an address of its own."""
HEALTH = {"serve": "/api/health", "work": "/health", "simulate": "/_sim/summary", "maps": "/health"}
"""Command -> the page that says whether it works."""


@dataclass(frozen=True, slots=True)
class Service:
    """One command line of the hub, and how many of it run."""

    name: str
    does: tuple[str, ...]
    count: int = 1

    @property
    def health(self) -> str:
        """The page that answers 200 when it works."""
        return HEALTH[self.does[0]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its processes."""
        return (self.name,) if self.count == 1 else tuple(f"{self.name}-{i}" for i in range(1, self.count + 1))

    def command(self, host: str, port: int, *, hub: str = "") -> list[str]:
        """Its arguments for `gridhub`, listening there. `hub`: where simulated systems find the gateway."""
        at = {
            "serve": ["--host", host, "--port", f"{port}", "--json-log"],
            "work": ["--metrics-host", host, "--metrics-port", f"{port}", "--json-log"],
            "maps": ["--host", host, "--port", f"{port}", "--json-log"],
            "simulate": ["--hub", hub, "--host", host, "--port", f"{port}"],
        }
        return [*self.does, *at[self.does[0]]]


GATEWAYS = (Service("gateway-1", ("serve", "--no-work")), Service("gateway-2", ("serve", "--no-work")))
WORKERS = (
    Service("deliver", ("work", "--role", "deliver"), count=2),
    Service("poll", ("work", "--role", "poll")),
    Service("receive", ("work", "--role", "receive,fetch,subscribe")),
    Service("clock", ("work", "--role", "clock,reconcile")),
    Service("bus", ("work", "--role", "announce,relay")),
)
NICE = 10
"""Of map processes: drawing waits where intake needs the processor."""
MAPS = (Service("maps", ("maps",)),)
"""Pictures and features for GIS clients: they only read, beside the gateways."""
SIMULATORS = (
    Service("hotline", ("simulate", "hotline_12345")),
    Service("urban", ("simulate", "urban_management")),
    Service("grid", ("simulate", "social_governance")),
    Service("sensors", ("simulate", "sensors")),
    Service("desk", ("simulate", "centre_desk")),
)
ADDRESSES = {"hotline": "HOTLINE_URL", "urban": "URBAN_URL", "grid": "GRID_URL"}
"""Simulated system -> the variable of systems.yaml that the hub finds it by."""
SERVERS = ("database", "rabbitmq", "mosquitto", "prometheus")
"""What others made: with containers as images, here as programs of this machine."""
