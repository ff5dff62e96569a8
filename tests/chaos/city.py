"""The campaign's city: the example city with five lean systems beside its own, laid out as a configuration folder."""

import csv
import shutil
from pathlib import Path

HERE = Path(__file__).parent / "city"
EXAMPLE = Path(__file__).parents[2] / "config"
TOKEN = "a-secret-of-the-campaign"
CALLS = "calls"
WORKS = {
    "safe_works": ("safe", False),
    "guarded_works": ("guarded", False),
    "asked_works": ("never", True),
    "strict_works": ("never", False),
}
"""The owners: what an unanswered hand-over allows, and whether it can be asked for by our number."""
SHIPPED = ("HOTLINE_TOKEN", "URBAN_VALIDATE", "GRID_TOKEN")
ADDRESSES = {"hotline_12345": "HOTLINE_URL", "urban_management": "URBAN_URL", "social_governance": "GRID_URL"}
"""The variables of the example city's own systems."""


def lay_out(folder: Path) -> Path:
    """The configuration folder, made anew."""
    shutil.copytree(EXAMPLE, folder)
    for name in ("systems.yaml", "responsibility.csv"):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write((HERE / name).read_text(encoding="utf-8"))
    units = (HERE / "units.csv").read_text(encoding="utf-8")
    own = csv.DictReader(line for line in (EXAMPLE / "units.csv").read_text("utf-8").splitlines() if line[:1] != "#")
    with (folder / "units.csv").open("a", encoding="utf-8") as file:
        csv.DictWriter(file, own.fieldnames or (), restval="").writerows(csv.DictReader(units.splitlines()))
    shutil.copytree(HERE / CALLS, folder / CALLS)
    for name, (repeat, finds) in WORKS.items():
        _works(folder / name, repeat, finds=finds)
    city = folder / "city.yaml"
    city.write_text(city.read_text(encoding="utf-8").replace("  check: centre", "  check: automatic"), encoding="utf-8")
    return folder


def _works(folder: Path, repeat: str, *, finds: bool) -> None:
    shutil.copytree(HERE / "works", folder)
    message = folder / "messages/hand_over.yaml"
    message.write_text(message.read_text(encoding="utf-8").replace("REPEAT", repeat), encoding="utf-8")
    if finds:
        with (folder / "system.yaml").open("a", encoding="utf-8") as file:
            file.write("finds: {hand_over: find_task}\n")
    else:
        (folder / "messages/find_task.yaml").unlink()


def environment(addresses: dict[str, str]) -> dict[str, str]:
    """What systems.yaml asks for: `addresses` by system; an example system that is not there stays at nobody's port."""
    told = {"CHAOS_TOKEN": TOKEN} | dict.fromkeys(SHIPPED, TOKEN)
    told |= {variable: addresses.get(name, "http://127.0.0.1:9") for name, variable in ADDRESSES.items()}
    return told | {f"CHAOS_{name.upper()}": addresses[name] for name in (CALLS, *WORKS)}
