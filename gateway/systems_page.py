"""docs/systems/<name>.md: one page for every shipped system, made from its folder; README.md lists them.

python -m gateway.systems_page docs/systems
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import adapters
from adapters.code_table import OUTCOMES, read_code_table
from adapters.trace import told
from adapters.yaml_file import read_yaml
from canonical.findings import Finding
from canonical.lifecycle import BY_ACTION, ActionKind

INDEX = "README.md"
_TIER = re.compile(r"^\| `([a-z0-9_]+)` \| ([^|]+) \| (none|bronze|silver|gold) \|$", re.MULTILINE)
_PARTIES = {"source": "as a source 作为来源", "owner": "as an owner 作为承办", "both": "as both 既是来源又承办"}


def page(folder: Path) -> str:
    """The page of one folder."""
    return "\n".join(_lines(folder)) + "\n"


def tiers() -> Mapping[str, tuple[str, str]]:
    """System to its other side and tier, as docs/certification.md states and its test checks."""
    document = Path(adapters.__file__).parents[1] / "docs" / "certification.md"
    return {name: (side, tier) for name, side, tier in _TIER.findall(document.read_text(encoding="utf-8"))}


def _yaml(folder: Path, name: str) -> Mapping[str, Any]:
    findings: list[Finding] = []
    file = read_yaml(folder / name, findings, name=name)
    return file.data if file else {}


def _lines(folder: Path) -> Iterator[str]:
    system = _yaml(folder, "system.yaml")
    yield f"# {system['title']} `{folder.name}`"
    yield ""
    yield "Made from the folder: `python -m gateway.systems_page docs/systems`."
    yield ""
    yield " ".join(_comment(folder / "system.yaml")) or "No remark."
    yield ""
    yield f"Edition {system['edition']}; roles: {', '.join(system['roles'])}; what we send goes by {_reached(system)}."
    if tier := tiers().get(folder.name):
        yield ""
        yield f"Certified: {tier[1]}, its other side {tier[0]}; see [certification](../certification.md)."
    yield from _settings(system)
    yield from _entrances(folder.name, system)
    yield from _told(system)
    yield from _reconciled(system)
    yield from _messages(folder)
    yield from _tables(folder)
    yield from _samples(folder)


def _comment(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line.lstrip("# ").strip()


def _reached(system: Mapping[str, Any]) -> str:
    connector = system["connector"]
    scheme = connector.get("account", {}).get("scheme")
    return f"{connector['protocol']} with {scheme} authentication" if scheme else str(connector["protocol"])


def _settings(system: Mapping[str, Any]) -> Iterator[str]:
    secrets, ledgers = system.get("secrets", {}), system.get("ledgers", {})
    if not secrets and not ledgers:
        return
    yield ""
    yield "## What the city sets"
    yield ""
    yield "| in systems.yaml | what |"
    yield "| --- | --- |"
    for name, secret in secrets.items():
        yield f"| `secrets.{name}` | {secret['title']}{' (optional)' if secret.get('optional') else ''} |"
    for name, ledger in ledgers.items():
        yield f"| `ledgers.{name}` | {ledger['title']}: CSV with {', '.join(f'`{one}`' for one in ledger['columns'])} |"


def index() -> str:
    """The page that lists all systems."""
    return "\n".join(_index_lines()) + "\n"


def _index_lines() -> Iterator[str]:
    yield "# Systems 已接系统"
    yield ""
    yield "Made from the folders: `python -m gateway.systems_page docs/systems`. A platform of your own:"
    yield "[connect your platform](../connect-your-platform.md)."
    yield ""
    yield "| system | title | roles | certified | we reach it by | how its messages come | what it is told |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    certified = tiers()
    for name, folder in sorted(adapters.shipped().items()):
        system = _yaml(folder, "system.yaml")
        cells = [
            f"[{name}]({name}.md)", system["title"], ", ".join(system["roles"]), certified.get(name, ("", "-"))[1],
            _reached(system), "<br>".join(_ways(system)) or "-", ", ".join(_told_kinds(system)) or "-",
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


_WAYS = (("doors", "door"), ("pulls", "pull"), ("receivers", "receiver"))


def _ways(system: Mapping[str, Any]) -> Iterator[str]:
    for key, title in _WAYS:
        if names := system.get(key, {}):
            yield f"{title}{'s' if len(names) > 1 else ''} {', '.join(f'`{name}`' for name in names)}"
    if "subscription" in system:
        yield "subscription"


def _told_kinds(system: Mapping[str, Any]) -> list[str]:
    tells = system.get("tells", {})
    return list(dict.fromkeys(_action(kind) for party in _PARTIES for kind in tells.get(party, {})))


def _entrances(name: str, system: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "## How its messages come"
    yield ""
    yield "| | how | messages |"
    yield "| --- | --- | --- |"
    for door, one in system.get("doors", {}).items():
        path = f"/in/{name}" + (f"/{one['path'].strip('/')}" if one.get("path") else "")
        methods = ", ".join(one.get("methods", ["POST"]))
        shown = ", ".join(filter(None, [", ".join(one.get("media", [])), _shown(one)]))
        yield f"| `{door}` | pushed: {methods} `{path}` {shown} | {_names(one['messages'])} |"
    for pull, one in system.get("pulls", {}).items():
        asked = f"pulled every {one['every']} s by `{one['ask']}`{_strategy(one)}"
        yield f"| `{pull}` | {asked} | {_names(one['messages'])} |"
    for receiver, one in system.get("receivers", {}).items():
        yield f"| `{receiver}` | {_received(one)} | {_names(one['messages'])} |"
    if subscription := system.get("subscription"):
        said = {key: value if isinstance(value, str) else value["message"] for key, value in _spoken(subscription)}
        yield ""
        yield "Subscription: " + ", ".join(f"{key} by `{message}`" for key, message in said.items()) + "."


def _spoken(subscription: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("register", "keepalive", "subscribe", "unsubscribe", "unregister"):
        if key in subscription:
            yield key, subscription[key]


def _shown(door: Mapping[str, Any]) -> str:
    given = door.get("authenticate")
    checks = given if isinstance(given, list) else [given] if given else []
    kinds = [key for check in checks for key in ("secret", "basic", "signature", "fresh") if key in check]
    asked = "; handshake" if door.get("handshakes") else ""
    return (f"shows {', '.join(kinds)}" if kinds else "") + asked


_STRATEGIES = ("cursor", "detail", "acknowledge", "count", "sweep", "changed", "per_case", "overlap")


def _strategy(pull: Mapping[str, Any]) -> str:
    used = [key for key in _STRATEGIES if pull.get(key)]
    return f" ({', '.join(used)})" if used else ""


def _received(receiver: Mapping[str, Any]) -> str:
    if table := receiver.get("table"):
        return f"exchange table `{table['name']}`, mode {table['mode']}"
    if drop := receiver.get("files"):
        return f"files {', '.join(f'`{one}`' for one in drop['match'])}"
    if topics := receiver.get("mqtt"):
        return "MQTT " + ", ".join(f"`{one}`" for one in topics["topics"])
    return f"AMQP queue `{receiver['amqp']['queue']}`"


def _names(messages: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in messages)


def _told(system: Mapping[str, Any]) -> Iterator[str]:
    tells, unsupported = system.get("tells", {}), system.get("unsupported", {})
    if not tells and not unsupported:
        return
    yield ""
    yield "## What it is told"
    yield ""
    yield "| | action | message, or why it cannot be told |"
    yield "| --- | --- | --- |"
    for party, title in _PARTIES.items():
        for action, message in tells.get(party, {}).items():
            yield f"| {title} | {_action(action)} | `{message}` |"
        for action, reason in unsupported.get(party, {}).items():
            yield f"| {title} | {_action(action)} | not told: {reason} |"


def _reconciled(system: Mapping[str, Any]) -> Iterator[str]:
    if (declared := system.get("reconcile")) is None:
        return
    asks = declared.get("ask", [])
    how = {
        "query": f"asked about one case after the other, by {_names([asks] if isinstance(asks, str) else asks)}",
        "list": f"its cases are listed, by the pull `{declared.get('pull')}`",
        "told": f"not asked: {declared.get('why')}",
    }[declared["by"]]
    when = f"every {declared['every']} s" if "every" in declared else f"daily at {declared.get('daily', '02:30')}"
    yield ""
    yield "## How it is compared with ours 对账"
    yield ""
    yield f"{when[0].upper()}{when[1:]}; {how}."


def _action(kind: str) -> str:
    return f"`{kind}` {BY_ACTION[ActionKind(kind)].title}"


def _messages(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("messages/*.yaml")):
        message = _yaml(folder, f"messages/{path.name}")
        yield ""
        yield f"## {message['title']} `{path.stem}`"
        yield ""
        if message["direction"] == "in":
            yield from _read(message)
        else:
            yield f"{message.get('method', 'POST')} `{told(message['path'])}`, answer judged by `{message['answer']}`,"
            yield f"repeat `{message.get('repeat', 'safe')}`."
            yield from _rules("written member", message.get("body"))


def _read(message: Mapping[str, Any]) -> Iterator[str]:
    when = message.get("when")
    yield (f"When {told(when) if not isinstance(when, str) else when}; contract" if when else "Contract") + (
        f" `contract/{message['contract']}`."
    )
    keys = ("external_id", "case_key", "visible_no", "reference", "report", "action", "addition", "alarm", "noted")
    yield from _rules("canonical field", {key: message[key] for key in keys if key in message})


def _rules(title: str, tree: object) -> Iterator[str]:
    if tree is None:
        return
    yield ""
    yield f"| {title} | rule |"
    yield "| --- | --- |"
    for where, node in leaves(tree):
        yield f"| `{where or '.'}` | {_rule(node)} |"


_LONG = 72


def _rule(node: object) -> str:
    """A rule in its cell; a long one with a line for each of its keys."""
    lines = [told(node)]
    if len(lines[0]) > _LONG and isinstance(node, Mapping):
        lines = [f"{key}: {told(below)}" for key, below in node.items()]
    elif len(lines[0]) > _LONG and isinstance(node, list):
        lines = [f"- {told(below)}" for below in node]
    return "<br>".join(f"`{line.replace('|', chr(92) + '|').replace('`', '')}`" for line in lines)


def leaves(node: object, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every rule or literal of a declared message, by the place it fills."""
    from adapters.rule import is_rule

    if isinstance(node, Mapping) and not is_rule(node):
        for key, below in node.items():
            yield from leaves(below, f"{where}.{key}".strip("."))
    elif isinstance(node, list) and any(isinstance(one, Mapping) for one in node):
        for index, below in enumerate(node):
            yield from leaves(below, f"{where}.{index}".strip("."))
    else:
        yield where, node


def _tables(folder: Path) -> Iterator[str]:
    paths = sorted(folder.glob("codes/*.csv"))
    if not paths:
        return
    yield ""
    yield "## Code tables"
    yield ""
    yield "| table | way | rows | of them without a value |"
    yield "| --- | --- | --- | --- |"
    for path in paths:
        table = read_code_table(path, [], name=path.name)
        if table is not None:
            values = [row[table.columns[1]] for row in table.rows.values()]
            open_ = sum(value in {"", *OUTCOMES} for value in values)
            yield f"| `{path.name}` | {'writes' if table.reverse else 'reads'} | {len(values)} | {open_} |"


def _samples(folder: Path) -> Iterator[str]:
    names = sorted(path.name for path in folder.glob("samples/*") if ".in." in path.name or ".out." in path.name)
    if names:
        yield ""
        yield "Samples: " + ", ".join(f"`{name}`" for name in names) + "."


def write(folder: Path) -> list[Path]:
    """Write all pages; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, system in adapters.shipped().items():
        path = folder / f"{name}.md"
        path.write_text(page(system), encoding="utf-8")
        written.append(path)
    (folder / INDEX).write_text(index(), encoding="utf-8")
    return [*written, folder / INDEX]


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/systems"))))
