"""The simulated market supervision 12315: exchange tables or dropped files, and opinions written back by the hub."""

from simulators.market_supervision.platform import MarketSupervision

__all__ = ["MarketSupervision"]
