"""What every X-ray reader shares: columns with attenuator and counting time applied, and the technique."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Scan, Source
from rutile_assets.formats.text import damaged, truncated

XRR_FIRST_TWO_THETA_DEG = 2.0
XRR_LAST_TWO_THETA_DEG = 12.0
EITHER_LAST_TWO_THETA_DEG = 25.0  # up to here a coupled scan from below 2 deg may be meant as either
SAME_ANGLE_DEG = 1e-4
WHOLE = 1e-6

NO_TIME = "The file tells no counting time: intensity_counts_per_s holds counts a point, right up to a constant factor."
NOT_WHOLE = (
    "The counts are not whole numbers (averaged or scaled before they were written): no detected_counts, so no"
    " counting statistics."
)


def xray_columns(
    source: Source,
    two_theta_deg: FloatArray,
    values: FloatArray,
    *,
    unit: str,
    attenuation: FloatArray | None = None,
    attenuation_applied: bool = False,
    counting_time_s: FloatArray | None = None,
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return the columns of an X-ray scan under their shared names, and what was done to the numbers.

    Parameters
    ----------
    source : Source
        Named in errors.
    two_theta_deg : ndarray
        (P,) detector angle [deg].
    values : ndarray
        (P,) as the file wrote them.
    unit : str
        ``counts`` or ``cps`` (counts a second), in any case.
    attenuation : ndarray, optional
        (P,) factor >= 1 by which the absorber weakened the beam.
    attenuation_applied : bool
        True where `values` are multiplied by it already.
    counting_time_s : ndarray, optional
        (P,) [s]; used where `values` are counts.

    Returns
    -------
    columns : dict
        ``two_theta_deg``, ``attenuation_factor``, ``detected_counts`` (whole numbers as the detector counted them,
        absent where the file has rates or averages), ``counting_time_s``, ``intensity_counts_per_s``.
    notes : tuple of str
        Sentences for `Measurement.notes`.

    Raises
    ------
    UnreadableFile
        Columns of different lengths, an unknown unit, an impossible angle, time, count or attenuation.
    """
    columns, notes = {"two_theta_deg": two_theta_deg}, []
    _check(source, two_theta_deg, values, attenuation, counting_time_s)
    kind = unit.strip().lower()
    if kind not in ("counts", "count", "cps", "counts/s"):
        raise UnreadableFile(f"intensity in {unit!r}", "counts or cps", "Export it in counts.", source.name)
    factor = np.ones(len(values)) if attenuation is None else attenuation
    if attenuation is not None:
        columns["attenuation_factor"] = attenuation
        done = "had multiplied" if attenuation_applied else "wrote; it is multiplied in here"
        if factor.max() > 1:
            largest = f"the attenuator (up to {factor.max():g}) that the instrument {done}"
            notes.append(f"Intensity includes {largest}.")
    corrected = values if attenuation_applied else values * factor
    if kind in ("cps", "counts/s"):
        columns["intensity_counts_per_s"] = corrected
        return columns, tuple(notes)
    if (values < 0).any():
        raise damaged(source, "negative counts", "counts of zero or more")
    detected = values / factor if attenuation_applied else values
    rounded = np.round(detected)
    slack = WHOLE * np.maximum(1.0, rounded) + (0.5 / factor if attenuation_applied else 0.0) * (factor > 1)
    if (np.abs(detected - rounded) <= slack).all():
        columns["detected_counts"] = rounded
    else:
        notes.append(NOT_WHOLE)
    if counting_time_s is None:
        notes.append(NO_TIME)
        columns["intensity_counts_per_s"] = corrected
    else:
        columns["counting_time_s"] = counting_time_s
        columns["intensity_counts_per_s"] = corrected / counting_time_s
    return columns, tuple(notes)


def _check(
    source: Source,
    two_theta_deg: FloatArray,
    values: FloatArray,
    attenuation: FloatArray | None,
    counting_time_s: FloatArray | None,
) -> None:
    for name, column in (("angles", two_theta_deg), ("attenuations", attenuation), ("counting times", counting_time_s)):
        if column is not None and len(column) != len(values):
            raise truncated(source, f"{len(values)} intensities and {len(column)} {name}", "as many of each")
    if len(values) == 0:
        raise damaged(source, "no points", "measured points")
    if not (np.abs(two_theta_deg) <= 180.0).all():
        raise damaged(source, f"2theta up to {np.abs(two_theta_deg).max():g} deg", "at most 180 deg")
    if attenuation is not None and not ((attenuation >= 1.0) & (attenuation < 1e9)).all():
        raise damaged(source, f"an attenuation factor of {attenuation.min():g}", "a factor of 1 or more")
    if counting_time_s is not None and not ((counting_time_s > 1e-9) & (counting_time_s < 1e9)).all():
        raise damaged(source, f"a counting time of {counting_time_s.min():g} s", "a positive one")


def axis_kind(scan_axis: object) -> str:
    """Return ``coupled``, ``detector`` (2theta alone), ``rocking`` (omega alone), ``other`` or '' (not said)."""
    word = re.sub(r"[^a-z0-9]", "", str(scan_axis or "").lower().replace("θ", "theta")).replace("twotheta", "2theta")
    if not word:
        return ""
    if word in ("gonio", "2thetaomega", "omega2theta", "2thetatheta", "theta2theta"):
        return "coupled"
    return {"2theta": "detector", "omega": "rocking", "theta": "rocking"}.get(word, "other")


def xray_technique(scans: Sequence[Scan]) -> str | None:
    """Tell reflectivity, a diffraction scan and a reciprocal space map apart by the angles alone.

    Several scans at different omega (or omega offsets) or chi are a map. A coupled scan from below 2 deg is
    reflectivity when it ends at or below 12 deg, and left open (None, the folder decides) up to 25 deg. Every other
    scan whose axis is said is diffraction; where the axis is not said, None.
    """
    tilts = [chi for scan in scans if isinstance(chi := scan.settings.get("chi_deg"), float)]
    for angles in ([offset for scan in scans if (offset := omega_offset(scan)) is not None], tilts):
        if len(angles) > 1 and max(angles) - min(angles) > SAME_ANGLE_DEG:
            return "rsm"
    kinds = {axis_kind(scan.settings.get("scan_axis")) for scan in scans}
    if "" in kinds:
        return None
    first = min(float(scan.columns["two_theta_deg"].min()) for scan in scans)
    last = max(float(scan.columns["two_theta_deg"].max()) for scan in scans)
    if kinds != {"coupled"} or first >= XRR_FIRST_TWO_THETA_DEG or last > EITHER_LAST_TWO_THETA_DEG:
        return "xrd"
    return "xrr" if last <= XRR_LAST_TWO_THETA_DEG else None


def omega_offset(scan: Scan) -> float | None:
    """Return omega where a detector scan holds it still, omega - 2theta/2 of a coupled one, None where not recorded."""
    fixed = scan.settings.get("omega_deg")
    if axis_kind(scan.settings.get("scan_axis")) == "detector" and isinstance(fixed, float):
        return fixed
    if axis_kind(scan.settings.get("scan_axis")) == "coupled" and isinstance(fixed, float):
        return fixed - float(scan.columns["two_theta_deg"][0]) / 2.0
    if "omega_deg" in scan.columns and axis_kind(scan.settings.get("scan_axis")) == "coupled":
        return float(np.median(scan.columns["omega_deg"] - scan.columns["two_theta_deg"] / 2.0))
    return None
