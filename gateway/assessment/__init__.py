"""Assessment as the hub runs it: facts kept up to date, sheets made of them, editions closed, figures traced."""

from gateway.assessment.sheets import sheet_of

__all__ = ["sheet_of"]
