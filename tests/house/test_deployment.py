"""Compose, the table of the stack, the proxy, Prometheus and the image say the same, and what they name exists."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.declaration import ConnectorDeclaration
from canonical.message import Verdict
from gateway import metrics_page
from gateway.delivery.deliver import LEASE_BEYOND_TIMEOUTS
from gateway.door import LONGEST_BODY
from gateway.maps.counts import OUTCOMES
from gateway.serve import LAST_WORDS
from gateway.settings import VARIABLES, settings
from gateway.stack.services import (
    ADDRESSES,
    GATEWAY_PORT,
    GATEWAYS,
    MAP_PORT,
    MAPS,
    NICE,
    SERVERS,
    SIMULATOR_PORT,
    SIMULATORS,
    WORKER_PORT,
    WORKERS,
    Service,
)
from gateway.upstream.keeping import folder_of
from gateway.work import Role
from storage.figures import UNFINISHED

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OURS = (*GATEWAYS, *WORKERS, *MAPS, *SIMULATORS)
PORTS = {"serve": GATEWAY_PORT, "work": WORKER_PORT, "simulate": SIMULATOR_PORT, "maps": MAP_PORT}
BY_HAND = {
    "database_url",
    "postgres_password",
    "centre_token",
    "city_secret",
    "mqtt_password",
    "rabbitmq_password",
    "rabbitmq.conf",
    "mosquitto.passwords",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as it stands, anchors resolved."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


# The table and the file


def test_compose_runs_the_table_and_what_others_made_and_nothing_else(compose: Mapping[str, Any]) -> None:
    assert set(compose["services"]) == {service.name for service in OURS} | {*SERVERS, "proxy", "migrate"}


@pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
def test_a_service_is_what_the_table_says(service: Service, compose: Mapping[str, Any]) -> None:
    given, port = compose["services"][service.name], PORTS[service.does[0]]
    wanted = service.command("0.0.0.0", port, hub=f"http://proxy:{GATEWAY_PORT}")

    command = given["command"]
    assert command[: len(wanted)] == wanted
    assert command[len(wanted) :: 2] in ([], ["--set"])
    assert given.get("deploy", {}).get("replicas", 1) == service.count
    assert given["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port}{service.health}"
    assert given.get("profiles") == (["demo"] if service in SIMULATORS else None)


def test_every_role_of_the_hub_is_somebodys_work() -> None:
    worked = [role for service in WORKERS for role in service.does[2].split(",")]

    assert sorted(worked) == sorted(Role)


def test_each_health_page_is_one_that_its_command_serves() -> None:
    pages = {
        "serve": "gateway/api.py", "work": "gateway/worker_page.py", "simulate": "simulators/control.py",
        "maps": "gateway/maps/app.py",
    }  # fmt: skip
    for service in OURS:
        assert f'"{service.health}"' in text(*pages[service.does[0]].split("/")), service.name


# What it names


def test_each_variable_it_sets_is_read(compose: Mapping[str, Any]) -> None:
    read = set(VARIABLES) | set(re.findall(r"\$\{(\w+)", text("gateway", "stack", "systems.yaml")))
    for name, service in compose["services"].items():
        if service["image"] == "gridhub":
            assert {one.removesuffix("_FILE") for one in service.get("environment", {})} <= read, name


def test_each_file_it_mounts_is_here_or_made(compose: Mapping[str, Any]) -> None:
    mounted = [mount.split(":")[0] for one in compose["services"].values() for mount in one.get("volumes", ())]
    mounted += [secret["file"] for secret in compose["secrets"].values()]
    for source in mounted:
        if source.startswith("./config-local/secrets/"):
            assert Path(source).name in BY_HAND
        elif source.startswith("./") and source != "./config-local/city":
            assert (ROOT / source).exists(), source
        elif not source.startswith("./"):
            assert source in compose["volumes"]


def test_each_secret_it_mounts_is_named_where_it_is_read(compose: Mapping[str, Any]) -> None:
    for name, service in compose["services"].items():
        paths = [str(value) for value in service.get("environment", {}).values()]
        named = {path.removeprefix("/run/secrets/") for path in paths if path.startswith("/run/secrets/")}
        assert named == set(service.get("secrets", ())) <= set(compose["secrets"]), name


def test_no_secret_stands_in_it(compose: Mapping[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|TOKEN|SECRET", name) or name.endswith("_FILE"), name
            assert "@" not in str(value)
        assert not any(re.search(r"//[^@\s]*:[^@\s]+@", str(word)) for word in service.get("command", ()))


def test_only_the_proxy_and_prometheus_can_be_reached_and_only_from_this_machine(compose: Mapping[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}

    assert published == {"proxy": ["127.0.0.1:8080:8080"], "prometheus": ["127.0.0.1:9090:9090"]}


@pytest.mark.parametrize("service", [*(one.name for one in OURS), "migrate"])
def test_our_containers_have_no_rights_they_do_not_need(service: str, compose: Mapping[str, Any]) -> None:
    given = compose["services"][service]
    [user] = re.findall(r"useradd .*--uid (\d+) --gid (\d+)", text("deploy", "Dockerfile"))

    assert given["user"] == ":".join(user)
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]


def test_each_service_has_limits_restarts_and_is_asked_how_it_is(compose: Mapping[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[\w./-]+:\w[\w.-]*|gridhub", service["image"]), name
        assert not service["image"].endswith(":latest")
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped"), name
        if name != "migrate":
            assert {"test", "interval", "timeout"} <= set(service["healthcheck"]), name
            assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"]), name
            assert "stop_grace_period" in service, name


def test_what_is_on_its_way_has_time_to_end(compose: Mapping[str, Any]) -> None:
    attempt = 3 * ConnectorDeclaration.model_fields["timeout"].default + LEASE_BEYOND_TIMEOUTS.total_seconds()
    [hard] = re.findall(r"hard-stop-after (\d+)s", text("deploy", "proxy", "haproxy.cfg"))
    for service in GATEWAYS:
        assert seconds(compose["services"][service.name]) > LONGEST_BODY
    for service in WORKERS:
        assert seconds(compose["services"][service.name]) > attempt
    assert seconds(compose["services"]["proxy"]) > int(hard) > LONGEST_BODY
    for unit, wanted in (
        ("gridhub-serve@.service", LONGEST_BODY),
        ("gridhub-work@.service", attempt),
        ("gridhub-maps@.service", LAST_WORDS),
    ):
        [given] = re.findall(r"^TimeoutStopSec=(\d+)$", text("deploy", unit), re.MULTILINE)
        assert int(given) > wanted


def seconds(service: Mapping[str, Any]) -> float:
    [(number, unit)] = re.findall(r"^(\d+)(s|m)$", service["stop_grace_period"])
    return float(number) * {"s": 1, "m": 60}[unit]


def test_maps_step_back_before_intake_wherever_they_run(compose: Mapping[str, Any]) -> None:
    usual = 1024
    for service in OURS:
        shares = compose["services"][service.name].get("cpu_shares", usual)
        assert (shares < usual) == (service in MAPS), service.name
    unit = dict(re.findall(r"^(\w+)=(\d+)$", text("deploy", "gridhub-maps@.service"), re.MULTILINE))
    assert int(unit["Nice"]) == NICE > 0
    assert 0 < int(unit["CPUWeight"]) < 100 > int(unit["IOWeight"])
    for other in ("gridhub-serve@.service", "gridhub-work@.service"):
        assert not re.search(r"^(Nice|CPUWeight)=", text("deploy", other), re.MULTILINE)


def test_base_maps_are_fetched_into_the_folder_that_maps_read_and_cannot_write(compose: Mapping[str, Any]) -> None:
    mounted = {
        name: mount.split(":")
        for name, service in compose["services"].items()
        for mount in service.get("volumes", ())
        if mount.startswith("base-maps:")
    }
    data = compose["services"]["maps"]["environment"]["GRIDHUB_DATA"]
    place = str(folder_of(settings(ROOT / "config", {"GRIDHUB_DATA": data})))

    assert mounted == {"clock": ["base-maps", place], "maps": ["base-maps", place, "ro"]}
    assert compose["services"]["clock"]["environment"]["GRIDHUB_DATA"] == data
    assert re.search(rf"install -d -o gridhub -g gridhub .*{place}\b", text("deploy", "Dockerfile"))
    for unit in ("gridhub-maps@.service", "gridhub-work@.service"):
        assert re.findall(r"^Environment=GRIDHUB_DATA=(.*)$", text("deploy", unit), re.MULTILINE) == [data]
    assert "\nStateDirectory=" not in text("deploy", "gridhub-maps@.service")
    assert "\nProtectSystem=strict\n" in text("deploy", "gridhub-maps@.service")


# Its surroundings


def test_the_proxy_shares_between_the_gateways_and_shows_no_figures() -> None:
    said = text("deploy", "proxy", "haproxy.cfg")
    servers = re.findall(r"^    server (\S+) (\S+)$", said, re.MULTILINE)

    doors = [(service.name, f"{service.name}:{GATEWAY_PORT}") for service in GATEWAYS]
    assert servers == [*doors, *((service.name, f"{service.name}:{MAP_PORT}") for service in MAPS)]
    assert re.search(r"use_backend maps if \{ path_beg /ogc/ \}", said)
    assert f"httpchk GET {GATEWAYS[0].health}\n" in said
    assert re.search(r"deny .*\{ path /metrics \}", said)
    assert re.findall(r"retry-on (.*)", said) == ["conn-failure"]


def test_prometheus_asks_every_process_of_the_hub() -> None:
    jobs = {
        job["job_name"]: job for job in yaml.safe_load(text("deploy", "prometheus", "prometheus.yml"))["scrape_configs"]
    }
    [gateways], [workers] = jobs["gateway"]["static_configs"], jobs["worker"]["dns_sd_configs"]
    [maps] = jobs["maps"]["dns_sd_configs"]

    assert gateways["targets"] == [f"{service.name}:{GATEWAY_PORT}" for service in GATEWAYS]
    assert (workers["names"], workers["port"]) == ([service.name for service in WORKERS], WORKER_PORT)
    assert (maps["names"], maps["port"]) == ([service.name for service in MAPS], MAP_PORT)


def test_the_demonstrations_environment_is_whole_and_names_the_simulated_systems() -> None:
    lines = [line for line in text("deploy", "demo.env").splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    wanted = set(re.findall(r"\$\{(\w+)", text("gateway", "stack", "systems.yaml")))

    assert wanted - set(given) == {"MQTT_PASSWORD"}
    assert set(given) - wanted <= set(VARIABLES)
    for name, variable in ADDRESSES.items():
        assert given[variable] == f"http://{name}:{SIMULATOR_PORT}"


# Alerts


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(text("deploy", "prometheus", "alerts.yml"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_told_and_says_what_to_do(rule: Mapping[str, Any]) -> None:
    asked = set(re.findall(r"\bgridhub_\w+", rule["expr"]))
    assert asked <= metrics_page.names()
    assert asked or "up{job=" in rule["expr"]
    for label, value in re.findall(r'(\w+)=~?"([^"]+)"', rule["expr"]):
        assert set(value.split("|")) <= LABELS[label], (label, value)
    assert {"summary", "action"} <= set(rule["annotations"])
    assert rule["labels"]["severity"] in {"warning", "critical"}


LABELS: dict[str, set[str]] = {
    "job": {"gateway", "worker", "maps", "rabbitmq"},
    "outcome": set(OUTCOMES),
    "state": set(UNFINISHED),
    "verdict": {*Verdict, "busy", "unavailable"},
}


# With the programs themselves


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_docker_compose_reads_it(tmp_path: Path) -> None:
    command = composing()
    (tmp_path / "config-local" / "secrets").mkdir(parents=True)
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(DEPLOY / "demo.env", tmp_path / "config-local" / "gridhub.env")
    (tmp_path / "deploy").symlink_to(DEPLOY)

    everything = run(*command, "--profile", "demo", "config", folder=tmp_path)
    assert everything.returncode == 0, everything.stderr
    read = yaml.safe_load(everything.stdout)["services"]
    assert set(read) == {service.name for service in OURS} | {*SERVERS, "proxy", "migrate"}
    assert read["deliver"]["environment"]["GRIDHUB_CONFIG"] == "/etc/gridhub"
    assert run(*command, "config", "--quiet", folder=tmp_path).returncode == 0


def composing() -> list[str]:
    if shutil.which("docker") and run("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("docker compose is not on this machine")


def test_prometheus_own_checker_takes_configuration_and_rules() -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not on this machine")
    checked = run("promtool", "check", "config", "deploy/prometheus/prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_haproxy_takes_its_configuration() -> None:
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    if not program:
        pytest.skip("haproxy is not on this machine")
    checked = run(program, "-c", "-f", "deploy/proxy/haproxy.cfg")
    assert checked.returncode == 0, checked.stderr


def test_secrets_are_made_once_random_and_for_their_owner(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        assert run(sys.executable, "deploy/make_secrets.py", str(folder)).returncode == 0
    first = {file.name: file.read_text() for file in folders[0].iterdir()}
    second = {file.name: file.read_text() for file in folders[1].iterdir()}

    assert set(first) >= BY_HAND
    assert all(first[name] != second[name] for name in first)
    assert first["postgres_password"].strip() in first["database_url"]
    assert folders[0].stat().st_mode & 0o777 == 0o700
    assert run(sys.executable, "deploy/make_secrets.py", str(folders[0])).stdout.strip().endswith("all are there")
    assert {file.name: file.read_text() for file in folders[0].iterdir()} == first


def test_the_brokers_read_their_passwords_where_they_are_mounted(compose: Mapping[str, Any]) -> None:
    mosquitto = [mount.split(":")[1] for mount in compose["services"]["mosquitto"]["volumes"]]
    [passwords] = re.findall(r"^password_file (\S+)$", text("deploy", "mosquitto", "mosquitto.conf"), re.MULTILINE)
    assert passwords in mosquitto
    [data] = re.findall(r"^persistence_location (\S+?)/?$", text("deploy", "mosquitto", "mosquitto.conf"), re.MULTILINE)
    assert data in mosquitto
    assert all(
        mount.split(":")[1].startswith("/etc/rabbitmq/conf.d/")
        for mount in compose["services"]["rabbitmq"]["volumes"]
        if mount.startswith("./")
    )
    assert json.dumps(compose["services"]["sensors"]["command"]).count("mosquitto:1883") == 1
