"""Numbers as a page writes them: value and sigma, and how each came to be over the versions of its analysis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rutile_assets.units import unit_suffix

# what a quantity is called where its name alone does not say it
_SPOKEN = {
    "v_cpd_v": "contact potential",
    "v_cpd_spread_v": "contact potential, spread over a map",
    "roughness_sq_pm": "roughness Sq",
    "sigma_2d_s": "sheet conductance",
    "shg_delta_bic": "ΔBIC, quadrupole − dipole",
    "shg_ed_fraction": "dipole's part of the SHG power",
    "shg_ss_fraction": "ss part of the SHG",
    "relaxation_001_fraction": "relaxation along [001]",
    "relaxation_1m10_fraction": "relaxation along [1-10]",
    "q_110_per_angstrom": "q along [110]",
    "q_parallel_per_angstrom": "q in the plane",
    "growth_rate_layers_per_s": "growth rate in layers",
    "laue_thickness_nm": "Laue thickness",
    "hall_slope_ohm_per_t": "Hall slope",
    "planes_count": "(110) planes",
    "strain_out_of_plane_percent": "strain out of plane",
}
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_MARGIN = 120.0, 26.0, 4.0


def measured(value: float, sigma: float | None) -> str:
    """Return a value and its uncertainty as people write them: two digits of sigma, the value to the same place.

    Examples
    --------
    >>> measured(3.8712, 0.0134), measured(15875.0, 192.0), measured(2.0, None), measured(-1.2e-4, 3e-4)
    ('3.871 ± 0.013', '15875 ± 192', '2 ± unknown', '(−1.2 ± 3.0) × 10⁻⁴')
    """
    if sigma is None or not math.isfinite(sigma):
        return f"{value:.6g} ± unknown".replace("-", "−")
    if sigma == 0:
        return f"{value:.6g} ± 0".replace("-", "−")
    places = 1 - math.floor(math.log10(sigma))
    largest = max(abs(value), sigma)
    if largest >= 1e6 or largest < 1e-2:
        power = math.floor(math.log10(largest))
        scale = 10.0**power
        digits = max(places + power, 0)
        return f"({value / scale:.{digits}f} ± {sigma / scale:.{digits}f}) × 10{_raised(power)}".replace("-", "−")
    return f"{value:.{max(places, 0)}f} ± {sigma:.{max(places, 0)}f}".replace("-", "−")


def reading(value: float | None, sigma: float | None, unit: str | None) -> str:
    """Return a number of a comparison with its sigma, where it has one, and its unit; nothing for no number.

    Examples
    --------
    >>> reading(3.904, 0.094, "nm"), reading(12.0, None, None), reading(None, None, "eV")
    ('3.904 ± 0.094 nm', '12', '')
    """
    if value is None:
        return ""
    shown = measured(value, sigma) if sigma else f"{value:.4g}".replace("-", "−")
    return f"{shown} {unit or ''}".strip()


def concise(value: float, sigma: float | None) -> str:
    """Return a value with its sigma in parentheses, in units of the last digits, for narrow columns.

    Examples
    --------
    >>> concise(3.8712, 0.0134), concise(15875.0, 192.0), concise(2.0, None), concise(11.72185, 5.9e-5)
    ('3.871(13)', '15875(192)', '2', '11.721850(59)')
    """
    if sigma is None or not math.isfinite(sigma) or sigma <= 0:
        return f"{value:.6g}".replace("-", "−")
    places = 1 - math.floor(math.log10(sigma))
    if abs(value) >= 1e6 or places > 9:
        return measured(value, sigma)
    places = max(places, 0)
    last = f"{sigma:.{places}f}" if sigma >= 1 else f"{sigma * 10.0**places:.0f}"
    return f"{value:.{places}f}({last})".replace("-", "−")


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def label(quantity: str) -> str:
    """Return a quantity's name for reading: without its unit, with blanks.

    Examples
    --------
    >>> label("total_thickness_nm"), label("planes_count")
    ('total thickness', '(110) planes')
    """
    if quantity in _SPOKEN:
        return _SPOKEN[quantity]
    suffix = unit_suffix(quantity)
    bare = quantity.removesuffix(f"_{suffix}") if suffix else quantity
    return bare.replace("_", " ")


def number_key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what makes two versions of a number the same number: technique, quantity, subject, file."""
    return row["technique"], row["quantity"], row["subject"], row["source_file"] or ""


def with_history(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the current numbers, each with its versions, oldest first.

    Parameters
    ----------
    rows : sequence of dict
        Every version of every number of a film: the view ``results`` with ``code_version`` and ``started_at``.

    Returns
    -------
    list of dict
        The current rows with ``label``, ``shown``, ``history`` (versions, each with ``shown``) and ``spark``.
    """
    versions: dict[tuple[str, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["result_id"]):
        versions[number_key(row)].append({**row, "shown": measured(row["value"], row["sigma"])})
    current = []
    for row in rows:
        if row["is_current"]:
            history = versions[number_key(row)]
            shown = {"label": label(row["quantity"]), "shown": measured(row["value"], row["sigma"])}
            current.append({**row, **shown, "history": history, "spark": sparkline(history)})
    return current


def sparkline(history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the points of a small picture of a number's versions: x, y and the ends of its error bar, in pixels.

    Nothing for a single version.
    """
    if len(history) < 2:
        return []
    sigmas = [row["sigma"] or 0.0 for row in history]
    low = min(row["value"] - sigma for row, sigma in zip(history, sigmas, strict=True))
    high = max(row["value"] + sigma for row, sigma in zip(history, sigmas, strict=True))
    inner = _SPARK_HEIGHT - 2 * _SPARK_MARGIN

    def y(value: float) -> float:
        return _SPARK_HEIGHT / 2 if high == low else _SPARK_MARGIN + inner * (high - value) / (high - low)

    step = (_SPARK_WIDTH - 2 * _SPARK_MARGIN) / (len(history) - 1)
    return [
        {
            "x": round(_SPARK_MARGIN + i * step, 1),
            "y": round(y(row["value"]), 1),
            "top": round(y(row["value"] + sigma), 1),
            "bottom": round(y(row["value"] - sigma), 1),
        }
        for i, (row, sigma) in enumerate(zip(history, sigmas, strict=True))
    ]
