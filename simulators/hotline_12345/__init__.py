"""The simulated 12345 hotline (CNS line): dispatches tickets to the hub, takes its callbacks, visits the citizen."""

from simulators.hotline_12345.desk import Hotline

__all__ = ["Hotline"]
