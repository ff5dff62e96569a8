"""Reads a file of cells: its format by name and first bytes, its CRS by what it says or what is passed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from canonical.coordinates import STANDARD, Systems
from canonical.findings import Finding, Severity
from connectors.geodata.crs import settled
from connectors.geodata.formats import READERS, Reader
from connectors.geodata.polygons import converted
from connectors.geodata.sheet import MOST_BYTES, Layer, Sheet, check_size, silent, too_large, unreadable


def read(
    source: Path,
    *,
    layer: str = "",
    crs: str = "",
    encoding: str = "",
    systems: Systems = STANDARD,
    progress: Callable[[int, int], None] = silent,
) -> Sheet:
    """The polygons of one layer in CGCS2000 degrees. `progress` hears shapes converted and their number.

    `layer` is needed where a file has several, `crs` where the file does not say it, `encoding` where it is neither
    said nor UTF-8 nor GB18030. Raises ContractViolation for what cannot be read, with what to do; single rows that
    cannot be used are left out and stand in the findings.
    """
    reader = READERS.get(source.suffix.lower())
    if reader is None:
        raise unreadable(f"{source.name}: none of {', '.join(READERS)}: export it as one of them")
    with np.errstate(all="ignore"):  # figures that are none are told by row
        made = _layer(source, reader, layer, encoding)
        taken = settled(made, crs, systems, source.name)
        if made.assumed and taken != made.crs:
            text = f"the format itself means {made.crs}; {taken} was passed and is taken"
            made.findings.append(Finding(source.name, 0, "", text, Severity.WARNING))
        return converted(made, taken, systems, source.name, progress)


def _layer(source: Path, reader: Reader, layer: str, encoding: str) -> Layer:
    try:
        _check_file(source)
        made = reader(source, layer, encoding)
    except OSError as error:
        raise unreadable(f"{source.name}: {error.strerror or 'not read'}: is it there, and may it be read?") from None
    check_size(source.name, len(made.rows), len(made.columns))
    return made


def _check_file(source: Path) -> None:
    if not source.is_file():
        raise unreadable(f"{source.name}: no such file")
    size = source.stat().st_size
    if size == 0:
        raise unreadable(f"{source.name}: empty: export it again")
    if size > MOST_BYTES:
        raise too_large(f"{source.name}: more than {MOST_BYTES >> 20} MB: divide it")
