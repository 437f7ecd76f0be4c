"""What every photoelectron reader shares: one Scan for each region, under the same names of columns and settings.

Columns of a region, in the order of the file (the axis rises or falls):

``kinetic_energy_ev`` or ``binding_energy_ev`` (both where the file has both; ``photon_energy_ev`` alone where the
analyser stood still and the light was tuned), ``detected_counts`` (whole numbers that were counted, else absent),
``counting_time_s`` (dwell times number of scans), ``intensity_counts_per_s``, ``transmission_factor``.

Settings of a region, each where the file says it: ``region``, ``analysis_method`` (XPS, UPS), ``photon_energy_ev``,
``analyser_work_function_ev`` (as written: Kratos writes it negative), ``bias_v`` (of the sample), ``pass_energy_ev``,
``step_ev`` (negative where the axis falls), ``dwell_s``, ``sweep_count``, ``group``, ``cycle``, ``curve``,
``species``, ``comment``, ``acquired_at``. ``Measurement.settings`` repeats those of photon energy, work function and
bias that all regions share. SPECS's "Bias Voltage" belongs to the detector: it is ``detector_bias_v``, never
``bias_v``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from rutile_assets.formats.measurement import FloatArray, Scan, Setting, Source
from rutile_assets.formats.text import damaged, finite_or_none, truncated
from rutile_assets.formats.xray import NO_TIME, NOT_WHOLE

TECHNIQUE = "ups"  # the photoelectron room; `analysis_method` tells XPS from UPS
AXES = ("kinetic_energy_ev", "binding_energy_ev", "photon_energy_ev")
LARGEST_EV = 1e5
UPS_BELOW_EV = 100.0
WHOLE_COUNTS = 0.01  # rounding of a rate times its time, as instruments print it
ENOUGH_POINTS = 20  # that many products are not whole by chance
SHARED = ("photon_energy_ev", "analyser_work_function_ev", "bias_v", "analysis_method")

NO_UNIT = "The file tells no unit of the intensity: intensity_counts_per_s is right up to a constant factor."
COUNTED = "Rate times counting time is a whole number at every point: detected_counts are these products."
NEGATIVE_WORK_FUNCTION = "The analyser's work function is negative in the file and kept so: its sign is the vendor's."


def axis_named(text: str) -> str | None:
    """Return which energy a title names ('Binding Energy [eV]', 'BE/eV', 'K.E.'), None where it names none."""
    title = text.strip().lower()
    if re.match(r"bind|b\.?\s?e\.?($|[\s_/\[(,])|e_?b($|[\s_/\[(])", title):
        return "binding_energy_ev"
    if re.match(r"kin|k\.?\s?e\.?($|[\s_/\[(,])|e_?k(in)?($|[\s_/\[(])", title):
        return "kinetic_energy_ev"
    return "photon_energy_ev" if re.match(r"photon|excitation", title) else None


def spectrum_columns(
    source: Source,
    axes: Mapping[str, FloatArray],
    values: FloatArray,
    *,
    unit: str,
    counting_time_s: float | None,
    transmission: FloatArray | None = None,
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return the columns of a region under their shared names, and what was done to the numbers.

    Parameters
    ----------
    source : Source
        Named in errors.
    axes : mapping of str to ndarray
        One or two of `AXES` -> (P,) energies [eV].
    values : ndarray
        (P,) as the file wrote them.
    unit : str
        ``counts``, ``counts_per_s`` or ``unknown``.
    counting_time_s : float or None
        Of one point, over all sweeps [s].
    transmission : ndarray, optional
        (P,) of the analyser; kept beside, never divided out.

    Raises
    ------
    UnreadableFile
        No points, columns of different lengths, an energy that is none, an axis that turns.
    """
    for name, energies in axes.items():
        if len(energies) != len(values):
            raise truncated(source, f"{len(values)} intensities for {len(energies)} energies", "as many of each")
        if len(energies) == 0 or not (np.abs(energies) < LARGEST_EV).all():
            raise damaged(source, f"no points or {name} beyond {LARGEST_EV:g} eV", "the energies of electrons")
        steps = np.diff(energies)
        if not ((steps > 0).all() or (steps < 0).all()):
            raise damaged(source, f"a {name} that does not run one way", "a spectrum")
    columns, notes = dict(axes), []
    time = counting_time_s if counting_time_s is not None and 1e-9 < counting_time_s < 1e9 else None
    if unit == "counts":
        if _whole(values, 1e-6):
            columns["detected_counts"] = np.round(values)
        else:
            notes.append(NOT_WHOLE)
        notes += [] if time else [NO_TIME]
    elif unit == "unknown":
        notes.append(NO_UNIT)
    elif time and len(values) >= ENOUGH_POINTS and values.any() and _whole(values * time, WHOLE_COUNTS):
        columns["detected_counts"] = np.round(values * time)
        notes.append(COUNTED)
    if time:
        columns["counting_time_s"] = np.full(len(values), time)
    columns["intensity_counts_per_s"] = values / time if unit == "counts" and time else values
    if transmission is not None:
        columns["transmission_factor"] = transmission
    return columns, tuple(notes)


def _whole(values: FloatArray, slack: float) -> bool:
    rounded = np.round(values)
    tolerance = np.minimum(slack * np.maximum(1.0, 1e-4 * rounded), 0.05)
    return bool((values >= 0).all() and (np.abs(values - rounded) <= tolerance).all())


def step_ev(energies: FloatArray) -> float | None:
    """Return the mean step of an axis [eV], negative where it falls, None for a single point."""
    return float(np.round((energies[-1] - energies[0]) / (len(energies) - 1), 9)) if len(energies) > 1 else None


def analysis_method(said: str | None, photon_energy_ev: float | None) -> str | None:
    """Return UPS or XPS as the file says it, else by the photon energy, else None."""
    word = (said or "").strip().upper()
    if word in ("UPS", "XPS"):
        return word
    if photon_energy_ev is None:
        return word or None
    return word or ("UPS" if photon_energy_ev < UPS_BELOW_EV else "XPS")


def known(text: str | None) -> float | None:
    """Return a number that a header holds, None where it holds none or the mark for unknown (1E+37)."""
    value = finite_or_none(text)
    return value if value is not None and abs(value) < 1e36 else None


def positive(text: str | None) -> float | None:
    """Return a positive number that a header holds, else None."""
    value = known(text)
    return value if value is not None and value > 0 else None


def whole_or_none(value: float | None) -> int | None:
    """Return a number of sweeps, cycles and the like, None where it is not known or not to be believed."""
    return round(value) if value is not None and 0 <= value < 1e9 else None


def product(*factors: float | None) -> float | None:
    """Return the product of what is known, None where a factor is missing or not positive."""
    result = 1.0
    for factor in factors:
        if factor is None or factor <= 0:
            return None
        result *= factor
    return result


def shared_settings(scans: Sequence[Scan]) -> dict[str, Setting]:
    """Return those settings that every region has alike."""
    found: dict[str, Setting] = {}
    for name in SHARED:
        said = {str(scan.settings.get(name)): scan.settings.get(name) for scan in scans}
        if len(said) == 1 and (value := next(iter(said.values()))) is not None:
            found[name] = value
    return found


def without_none(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings that the file says."""
    return {name: value for name, value in settings.items() if value is not None and value != ""}


def unique(notes: Sequence[str]) -> tuple[str, ...]:
    """Return every sentence once, in order."""
    return tuple(dict.fromkeys(notes))
