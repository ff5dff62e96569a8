"""Translation: one folder of data for every industry system, and the engine that compiles it. See README.md here."""

from adapters.door import Door
from adapters.loading import check, load, sample_secrets, shipped
from adapters.outbound import OutboundFacts
from adapters.pulling import Pull, Token
from adapters.reply import Reply
from adapters.system import Account, ConnectorFacts, Page, Receiver, System

__all__ = [
    "Account", "ConnectorFacts", "Door", "OutboundFacts", "Page", "Pull", "Receiver", "Reply", "System", "Token",
    "check", "load", "sample_secrets", "shipped",
]  # fmt: skip
