"""Maps of scanning probes: units, names of quantities, and which technique a set of channels makes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rutile_assets.formats.measurement import Channel, FloatArray, Source
from rutile_assets.formats.text import damaged

MAX_PIXELS = 64 * 1024**2

PREFIXES = {"": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "~": 1e-6, "m": 1e-3}
PREFIXES |= {"k": 1e3, "M": 1e6, "G": 1e9}
# base unit -> (ending of the quantity's name, base units in one of that unit)
ENDINGS = {"m": ("nm", 1e9), "V": ("v", 1.0), "A": ("pa", 1e12), "deg": ("deg", 1.0), "Hz": ("hz", 1.0)}

POTENTIAL = re.compile(r"potential|\bcpd\b|kpfm", re.IGNORECASE)
HEIGHT = re.compile(r"^(height|topograph|z height)|^z$", re.IGNORECASE)


def base_unit(unit: str | None) -> tuple[str, float] | None:
    """Return a unit's base and factor ('~m' -> ('m', 1e-6), 'mV' -> ('V', 1e-3)), None where it is unknown.

    '~' is the micro sign of NanoScope; 'º' and '°' are degrees.
    """
    text = (unit or "").strip()
    if text.lower() in ("deg", "º", "°", "degrees"):
        return "deg", 1.0
    if text == "rad":
        return "deg", 180.0 / np.pi
    found = re.fullmatch(r"([fpnuµμ~mkMG]?)(m|V|A|Hz)", text)
    return (found.group(2), PREFIXES[found.group(1)]) if found else None


def map_channel(
    source: Source, label: str, name: str, values: FloatArray, unit: str | None, pixel_size_nm: tuple[float, float]
) -> Channel:
    """Return a channel in the lake's units.

    Parameters
    ----------
    source : Source
        Named in errors.
    label : str
        The instrument's own name, kept.
    name : str
        The same without the direction of the scan: what the quantity is named after.
    values : ndarray
        (Y, X) in `unit`; row 0 is the top of the image. Infinite numbers become NaN.
    unit : str or None
        As the file wrote it; never guessed. None or an unknown one leaves the numbers as they are.
    pixel_size_nm : (float, float)
        Along x and y [nm].

    Raises
    ------
    UnreadableFile
        Pixels without size, or too many.
    """
    if not all(np.isfinite(size) and size > 0 for size in pixel_size_nm):
        raise damaged(source, f"pixels of {pixel_size_nm} nm", "a positive scan size")
    if values.size == 0 or values.size > MAX_PIXELS:
        raise damaged(source, f"a map of {values.shape} pixels", f"1 to {MAX_PIXELS}")
    base = base_unit(unit)
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "untitled"
    if base is None:
        return Channel(label, slug, _finite(values, 1.0), unit, *pixel_size_nm)
    ending, scale = ENDINGS[base[0]]
    if ending == "v" and POTENTIAL.search(name):
        slug = "potential"
    elif ending == "nm" and HEIGHT.search(name):
        slug = "height"
    return Channel(label, f"{slug}_{ending}", _finite(values, base[1] * scale), unit, *pixel_size_nm)


def _finite(values: FloatArray, factor: float) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values.astype(np.float64) * factor
    return np.where(np.isfinite(scaled), scaled, np.nan)


def probe_technique(channels: Sequence[Channel]) -> str | None:
    """Return ``kpfm`` where a potential map is, ``afm`` where only a height map is, None otherwise."""
    quantities = {channel.quantity for channel in channels}
    return "kpfm" if "potential_v" in quantities else "afm" if "height_nm" in quantities else None
