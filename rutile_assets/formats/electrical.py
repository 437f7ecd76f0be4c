"""Units of electrical transport as instruments and operators spell them, and the names of columns."""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
# base unit, lower case -> (what it measures, factor to the lake's unit)
BASES = {
    "k": ("temperature", 1.0),
    "kelvin": ("temperature", 1.0),
    "oe": ("field", 1e-4),  # mu0 H
    "g": ("field", 1e-4),
    "gauss": ("field", 1e-4),
    "t": ("field", 1.0),
    "tesla": ("field", 1.0),
    "s": ("time", 1.0),
    "sec": ("time", 1.0),
    "seconds": ("time", 1.0),
    "v": ("voltage", 1.0),
    "volt": ("voltage", 1.0),
    "volts": ("voltage", 1.0),
    "a": ("current", 1.0),
    "amp": ("current", 1.0),
    "amps": ("current", 1.0),
    "hz": ("frequency", 1.0),
    "deg": ("angle", 1.0),
    "degrees": ("angle", 1.0),
    "ohm": ("resistance", 1.0),
    "ohms": ("resistance", 1.0),
    "ω": ("resistance", 1.0),
}
LENGTHS_NM = {"nm": 1.0, "um": 1e3, "µm": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9}
ENDINGS = {
    "temperature": "k",
    "field": "t",
    "time": "s",
    "voltage": "v",
    "current": "a",
    "frequency": "hz",
    "angle": "deg",
    "resistance": "ohm",
    "resistivity": "ohm_nm",
}


class Unit(NamedTuple):
    """What a unit measures, and the factor to the lake's unit (K, T as mu0 H, s, V, A, Hz, deg, Ohm, Ohm nm)."""

    measures: str
    factor: float


def unit_named(text: str | None) -> Unit | None:
    """Return the unit that a person or an instrument spelled, None where it is unknown or ambiguous.

    Case tells milli from mega: 'mOhm' is not 'MOhm'; whole words and units take any case ('OHMS', 'oe').

    Examples
    --------
    >>> unit_named("Ohm-cm")
    Unit(measures='resistivity', factor=10000000.0)
    >>> unit_named("kOe")
    Unit(measures='field', factor=0.1)
    """
    word = re.sub(r"\s+", "", text or "")
    found = re.fullmatch(r"(.+?)[-*·.×](nm|um|µm|mm|cm|m)", word)
    if found:
        unit = unit_named(found.group(1))
        if unit is None or unit.measures != "resistance":
            return None
        return Unit("resistivity", unit.factor * LENGTHS_NM[found.group(2)])
    if word.lower() in BASES:
        return Unit(*BASES[word.lower()])
    prefix, base = PREFIXES.get(word[:1]), BASES.get(word[1:].lower())
    if prefix is None or base is None:
        return None
    return Unit(base[0], prefix * base[1])
