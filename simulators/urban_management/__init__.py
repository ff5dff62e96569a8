"""The simulated urban management platform 数字城管: collectors report, the hub pulls; letters are worked."""

from simulators.urban_management.platform import UrbanManagement

__all__ = ["UrbanManagement"]
