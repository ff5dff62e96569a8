"""The CEL library without its own command line, which would bring a terminal toolkit to every start of ours."""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402 after the line above
from cel import stdlib  # noqa: E402

__all__ = ["cel", "stdlib"]
