"""Which rows of a column a scope lets through."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def begins(values: npt.NDArray[np.object_], prefixes: tuple[str, ...]) -> Mask:
    """Which values begin with one of the prefixes; without prefixes all do, but for what has no value."""
    if not prefixes:
        return np.ones(len(values), bool)
    return np.fromiter((value is not None and value.startswith(prefixes) for value in values), bool, len(values))
