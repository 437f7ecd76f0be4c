"""The closed table of unit suffixes: a column's name says its unit, and every unit stands here once."""

from __future__ import annotations

from functools import cache
from typing import Any

import pint

# suffix of a column or quantity name -> the unit as pint reads it
UNIT_SUFFIXES: dict[str, str] = {
    "nm": "nanometer",
    "um": "micrometer",
    "pm": "picometer",
    "deg": "degree",
    "mrad": "milliradian",
    "rad": "radian",
    "k": "kelvin",
    "c": "degree_Celsius",
    "s": "second",
    "ms": "millisecond",
    "h": "hour",
    "t": "tesla",
    "v": "volt",
    "mv": "millivolt",
    "a": "ampere",
    "ua": "microampere",
    "pa": "picoampere",
    "w": "watt",
    "kv": "kilovolt",
    "hz": "hertz",
    "khz": "kilohertz",
    "ev": "electron_volt",
    "torr": "torr",
    "ohm": "ohm",
    "ohm_per_t": "ohm / tesla",
    "ohm_nm": "ohm * nanometer",
    "2d_s": "siemens",
    "s_per_cm": "siemens / centimeter",
    "per_cm2": "1 / centimeter**2",
    "per_cm3": "1 / centimeter**3",
    "cm2_per_vs": "centimeter**2 / volt / second",
    "g_per_cm3": "gram / centimeter**3",
    "per_nm": "1 / nanometer",
    "per_angstrom": "1 / angstrom",
    "per_angstrom2": "1 / angstrom**2",
    "counts": "count",
    "counts_per_s": "count / second",
    "bytes": "byte",
    "uc_per_cm2": "microcoulomb / centimeter**2",
    "mm": "millimeter",
    "angstrom": "angstrom",
    "n_per_m": "newton / meter",
    "percent": "percent",
    "per_s": "1 / second",
}

# endings of names that carry a number without a unit
DIMENSIONLESS_SUFFIXES: tuple[str, ...] = (
    "ratio", "factor", "fraction", "count", "index", "number", "probability", "order", "probability_log10",
    "reduced_chi_square", "bic", "delta_bic", "score", "pull", "reflectivity", "residual", "rank",
)  # fmt: skip

STD_SOURCES: tuple[str, ...] = (
    "counting", "covariance", "bootstrap", "mcmc", "repeat", "calibration", "datasheet",
)  # fmt: skip


@cache
def registry() -> pint.UnitRegistry[Any]:
    """Return the one pint registry of the process."""
    return pint.UnitRegistry()


def unit_suffix(name: str) -> str | None:
    """Return the longest known unit suffix of `name`, or None where it carries no unit.

    ``_std`` at the end is looked through: an uncertainty has the unit of its quantity.

    Examples
    --------
    >>> unit_suffix("thickness_nm"), unit_suffix("mobility_cm2_per_vs_std"), unit_suffix("growth_id")
    ('nm', 'cm2_per_vs', None)
    """
    words = name.removesuffix("_std").split("_")
    for start in range(1, len(words)):
        candidate = "_".join(words[start:])
        if candidate in UNIT_SUFFIXES:
            return candidate
    return None


def unit_of(name: str) -> str | None:
    """Return the unit of a column or quantity as pint's compact text ('nm', 'cm²/s/V'), '' if it is a pure number.

    None means that the name claims neither a unit nor to be a number without one.
    """
    suffix = unit_suffix(name)
    if suffix is not None:
        return f"{registry().Unit(UNIT_SUFFIXES[suffix]):~P}"
    bare = name.removesuffix("_std")
    if any(bare == ending or bare.endswith(f"_{ending}") for ending in DIMENSIONLESS_SUFFIXES):
        return ""
    return None


def convert(value: float, unit: str, suffix: str) -> float:
    """Convert `value` in `unit` (as a file wrote it) to the unit of `suffix`.

    Parameters
    ----------
    value : float
        A number as the instrument wrote it.
    unit : str
        The unit as the instrument wrote it, in pint's spelling.
    suffix : str
        A key of `UNIT_SUFFIXES`.

    Returns
    -------
    float
        The same amount in the lake's unit.

    Raises
    ------
    pint.errors.PintError
        `unit` is unknown or has another dimension.
    """
    return float(registry().Quantity(value, unit).to(UNIT_SUFFIXES[suffix]).magnitude)
