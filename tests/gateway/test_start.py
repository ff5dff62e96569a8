"""A process is there quickly: help loads nothing that it does not need."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "fastapi", "adapters", "connectors", "storage", "openpyxl")


def test_help_loads_neither_the_database_nor_the_adapters() -> None:
    code = f"import sys, gateway.cli; print([one for one in {HEAVY!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_worker_loads_no_library_that_only_workbooks_need() -> None:
    code = "import sys, gateway.work; print([one for one in ('openpyxl',) if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
