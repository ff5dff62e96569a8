"""Translation: one folder of data for every industry system, and the engine that compiles it. See README.md here."""

from adapters.door import Door, Reply
from adapters.loading import check, load, shipped
from adapters.outbound import OutboundFacts
from adapters.system import ConnectorFacts, Page, Pull, System

__all__ = ["ConnectorFacts", "Door", "OutboundFacts", "Page", "Pull", "Reply", "System", "check", "load", "shipped"]
