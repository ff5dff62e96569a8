"""Simulated industry systems: real servers on real sockets that speak the contracts and know nothing of our code.

For vendors, trainers and tests. Each keeps its own state, works at a chosen pace, and can be told over `/_sim/` to be
slow, silent, down, forgetful or dissatisfied. With a seed the same cases happen again.
"""

from simulators.behaviour import Behaviour
from simulators.serve import SYSTEMS, Running, create_app, run, running
from simulators.system import Setup, System

__all__ = ["SYSTEMS", "Behaviour", "Running", "Setup", "System", "create_app", "run", "running"]
