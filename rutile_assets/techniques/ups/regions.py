"""Which regions of a file hold the Fermi edge and the cut-off, and how their axes stand to each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rutile_assets.errors import FitFailed, RutileError
from rutile_assets.formats.measurement import FloatArray, Measurement, Scan
from rutile_assets.techniques.ups.levels import Photon, photon_energy, zero_note
from rutile_assets.techniques.ups.likelihood import Signal
from rutile_assets.techniques.ups.model import (
    CutOff,
    FermiEdge,
    UpsFitParameters,
    declared_fermi_edge,
    find_fermi_edge,
    fit_cutoff,
    fit_fermi_edge,
)

KINETIC, BINDING = "kinetic_energy_ev", "binding_energy_ev"
REFERENCE = re.compile(r"fermi|(?<![a-z])(ef|e_f|gold|au|silver|ag|platinum|pt)(?![a-z0-9])", re.IGNORECASE)
LARGEST_PHOTON_EV = 100.0  # beyond it secondaries say little and the file is XPS
EXPECTED_EDGE_EV = 1.0  # how far an edge may stand from where lamp, analyser and bias put it
DECLARED_STD_EV = 0.02
GUESSED_FWHM_EV = 0.15
VOLTAGE_NOTE = "Fermi edge and cut-off come from different regions that do not both say their bias: taken as the same."
CHARGING_NOTE = "The Fermi level is the metal's: a sample that charges against it shifts its work function by as much."
UNSAID_NOTE = "The file does not say where the Fermi edge should stand: taken for a metal's because it is as narrow."
WHAT_TO_DO = "Measure a metal in contact at the same bias, or declare fermi_edge_kinetic_ev in the sidecar."


@dataclass(frozen=True)
class Region:
    """A region on a rising axis.

    Parameters
    ----------
    name : str
        The instrument's.
    energy_ev : ndarray
        (P,) rising kinetic energy [eV]; minus the binding energy where the file has only that.
    signal : Signal
        (P,) counts, or the file's intensity.
    photon_ev, bias_v, zero_ev : float or None
        As the region or the file say them: photon energy [eV], bias on the sample [V], and where on the axis the
        Fermi level belongs by that calibration [eV]: a kinetic axis has the analyser's work function added, as vendors
        write it (kinetic + binding = h nu), unless the sidecar says ``kinetic_energy_reference: vacuum``.
    """

    name: str
    energy_ev: FloatArray
    signal: Signal
    photon_ev: float | None
    bias_v: float | None
    zero_ev: float | None


@dataclass(frozen=True)
class Levels:
    """What a file's regions tell.

    Parameters
    ----------
    fermi : FermiEdge
        The Fermi level on the axis of its region.
    fermi_region : str
        Where it was read, or ``declared``.
    zero_ev : float or None
        Where its region's calibration puts it.
    cutoff : CutOff or None
        None where the file holds no work function; the notes say why.
    cutoff_region : str or None
        Where the cut-off was read.
    photon : Photon or None
        None where nobody says it.
    bias_difference_ev : float
        How much more the cut-off's region was accelerated [eV].
    notes : tuple of str
        What a reader must know.
    """

    fermi: FermiEdge
    fermi_region: str
    zero_ev: float | None
    cutoff: CutOff | None
    cutoff_region: str | None
    photon: Photon | None
    bias_difference_ev: float
    notes: tuple[str, ...]


def region_name(scan: Scan, index: int) -> str:
    """Return the instrument's name of a region, else its number."""
    return str(scan.settings.get("region") or f"region {index}")


def read_levels(measurement: Measurement, chosen: UpsFitParameters, *, is_insulator: bool) -> Levels:
    """Find and fit the Fermi edge and, where there is one, the cut-off among the regions of a file.

    Parameters
    ----------
    measurement : Measurement
        A file.
    chosen : UpsFitParameters
        See there.
    is_insulator : bool
        Whether the sample is known to have no Fermi edge of its own: then it is read from a region that is named after
        a metal or the Fermi edge, or declared.

    Raises
    ------
    FitFailed
        X-rays, no Fermi edge, or regions with different axes.
    """
    regions = _regions(measurement, chosen)
    lowest = min(regions, key=lambda r: float(r.energy_ev[0]))
    declared = _declared(measurement, lowest)
    notes: list[str] = []
    if declared is not None:
        fermi, where = declared, None
        notes.append(f"Fermi edge declared, taken as ± {fermi.std_ev[0]:g} eV.")
    else:
        fermi, where = _fermi_edge(regions, chosen, is_insulator=is_insulator)
        if where.zero_ev is None:
            notes.append(UNSAID_NOTE)
        else:
            notes.append(zero_note(where.zero_ev - fermi.position_ev, where.bias_v))
    found: tuple[Photon, CutOff] | None = None
    difference = 0.0
    try:
        found = _photon_and_cutoff(lowest, fermi, chosen)
    except RutileError as fault:
        notes.append(f"No work function: {fault}")
    else:
        notes += [found[0].note] if found[0].note else []
        if where is not lowest:
            notes.append(CHARGING_NOTE)
        if where is not None and where is not lowest:
            if where.bias_v is None or lowest.bias_v is None:
                notes.append(VOLTAGE_NOTE)
            else:
                difference = where.bias_v - lowest.bias_v
    return Levels(
        fermi,
        where.name if where else "declared",
        where.zero_ev if where else None,
        found[1] if found else None,
        lowest.name if found else None,
        found[0] if found else None,
        difference,
        tuple(notes),
    )


def _photon_and_cutoff(region: Region, fermi: FermiEdge, chosen: UpsFitParameters) -> tuple[Photon, CutOff]:
    photon = photon_energy(region.photon_ev, chosen)
    if fermi.curve is None:
        return photon, fit_cutoff(region.energy_ev, region.signal, GUESSED_FWHM_EV, 0.5 * GUESSED_FWHM_EV, chosen)
    return photon, fit_cutoff(region.energy_ev, region.signal, fermi.fwhm_ev, float(fermi.std_ev[1]), chosen)


def _regions(measurement: Measurement, chosen: UpsFitParameters) -> list[Region]:
    axis = KINETIC if all(KINETIC in s.columns or BINDING not in s.columns for s in measurement.scans) else BINDING
    found, hard = [], []
    for index, scan in enumerate(measurement.scans, start=1):
        if axis not in scan.columns:
            continue
        photon_ev = _said(measurement, scan, "photon_energy_ev")
        name, energies = region_name(scan, index), scan.columns[axis]
        if (photon_ev or float(np.nanmax(np.abs(energies)))) > LARGEST_PHOTON_EV:
            hard.append(name)
            continue
        rising = energies if axis == KINETIC else -energies
        found.append(_region(measurement, scan, name, rising, photon_ev, chosen))
    if not found:
        raise FitFailed(
            f"no ultraviolet spectrum ({', '.join(hard)[:80]}: X-rays)",
            f"photons below {LARGEST_PHOTON_EV:g} eV",
            "It is kept as a table.",
        )
    return found


def _region(
    measurement: Measurement,
    scan: Scan,
    name: str,
    energy_ev: FloatArray,
    photon_ev: float | None,
    chosen: UpsFitParameters,
) -> Region:
    counts = "detected_counts" in scan.columns
    values = scan.columns["detected_counts" if counts else "intensity_counts_per_s"]
    good = np.isfinite(energy_ev) & np.isfinite(values)
    order = np.argsort(energy_ev[good])
    bias_v = _said(measurement, scan, "bias_v")
    zero_ev = None
    if KINETIC not in scan.columns:
        zero_ev = -(bias_v or 0.0)
    elif photon_ev is not None and bias_v is not None:
        is_vacuum = measurement.settings.get("kinetic_energy_reference") == "vacuum"
        analyser = _said(measurement, scan, "analyser_work_function_ev") if is_vacuum else 0.0
        zero_ev = None if analyser is None else photon_energy(photon_ev, chosen).energy_ev - abs(analyser) - bias_v
    signal = Signal.of(values[good][order], is_counts=counts)
    return Region(name, energy_ev[good][order], signal, photon_ev, bias_v, zero_ev)


def _said(measurement: Measurement, scan: Scan, name: str) -> float | None:
    value = measurement.settings.get(name, scan.settings.get(name))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _declared(measurement: Measurement, lowest: Region) -> FermiEdge | None:
    position = measurement.settings.get("fermi_edge_kinetic_ev")
    if not isinstance(position, int | float):
        return None
    std = measurement.settings.get("fermi_edge_kinetic_std_ev")
    return declared_fermi_edge(float(position), float(std) if isinstance(std, int | float) else DECLARED_STD_EV)


def _fermi_edge(regions: Sequence[Region], chosen: UpsFitParameters, *, is_insulator: bool) -> tuple[FermiEdge, Region]:
    named = [r for r in regions if REFERENCE.search(r.name)]
    tried = named or ([] if is_insulator else list(regions))
    if not tried:
        raise FitFailed("an insulator's spectrum without a metal's beside it", "a metal's Fermi edge", WHAT_TO_DO)
    faults = []
    for region in tried:
        try:
            edge = fit_fermi_edge(
                region.energy_ev, region.signal, chosen, find_fermi_edge(region.energy_ev, region.signal.values)
            )
            if region.zero_ev is not None and abs(edge.position_ev - region.zero_ev) > EXPECTED_EDGE_EV:
                raise FitFailed(
                    f"an edge {region.zero_ev - edge.position_ev:.2f} eV below where it belongs",
                    "the Fermi edge where lamp, analyser and bias put it",
                    "Declare the right bias_v in the sidecar.",
                )
        except RutileError as fault:
            faults.append(f"{region.name}: {fault.found}")
            continue
        return edge, region
    raise FitFailed("no Fermi edge (" + "; ".join(faults)[:300] + ")", "a metal's Fermi edge", WHAT_TO_DO)
