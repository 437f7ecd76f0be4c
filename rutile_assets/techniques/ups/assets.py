"""The photoelectron room: spectra to a table, Fermi edge and cut-off to a work function."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.scans import scan_rows, usable
from rutile_assets.techniques.ups import figures
from rutile_assets.techniques.ups.levels import fermi_estimate, work_function
from rutile_assets.techniques.ups.model import Curve, UpsFitParameters
from rutile_assets.techniques.ups.regions import BINDING, KINETIC, Levels, read_levels, region_name
from rutile_assets.techniques.ups.tables import UPS_FIT, UPS_FIT_CURVE, UPS_SPECTRUM

INSULATORS = ("TiO2", "Al2O3", "MgO", "SrTiO3", "LaAlO3", "SiO2", "MgF2", "LSAT", "DyScO3", "GdScO3", "NdGaO3")


def check(measurement: Measurement) -> None:
    """Refuse a file without a spectrum.

    Raises
    ------
    WrongContent
        No region has the energy of electrons.
    """
    if not any({KINETIC, BINDING} & set(scan.columns) for scan in measurement.scans):
        raise WrongContent("no energies of electrons", "kinetic or binding energies", "Drop the spectrum.")


@film_asset(room="ups", files="ups", writes=(UPS_SPECTRUM,))
def ups_spectrum(film: Film) -> Outcome:
    """Photoelectron spectra as measured, region by region, on the energy axis that the file has."""
    outcome = Outcome()
    frames = []
    for file, measurement in usable(film, outcome, check):
        for index, scan in enumerate(measurement.scans, start=1):
            if {KINETIC, BINDING} & set(scan.columns):
                frame = scan_rows(scan, UPS_SPECTRUM, file, index)
                frames.append(frame.assign(region=region_name(scan, index)))
    if frames:
        outcome.tables["ups_spectrum"] = pd.concat(frames, ignore_index=True)
    return outcome


@film_asset(
    room="ups",
    files="ups",
    reads=("growth", "ups_spectrum"),
    writes=(UPS_FIT, UPS_FIT_CURVE),
    parameters=UpsFitParameters,
    kinds=("python", "scipy"),
    figure=figures.edges,
)
def ups_fit(film: Film) -> Outcome:
    """Work function from Fermi edge and secondary cut-off, by a convolved edge, with the tangent's reading beside it.

    The Fermi level comes from the spectrum itself, from another region of the file (a metal in contact), or from
    `fermi_edge_kinetic_ev` in the sidecar; an insulator's band edge is not taken for one. A Fermi edge without a
    cut-off is fitted alone; X-ray spectra stay a table.
    """
    outcome = Outcome()
    is_insulator = bare_insulator(film.table("growth"), film.table("growth_layer"))
    rows, curves = [], []
    for file in film.files:
        try:
            measurement = film.measurement(file)
            check(measurement)
            found = read_levels(measurement, film.parameters, is_insulator=is_insulator)
            estimates = _estimates(found, film.parameters)
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: not fitted: {fault}")
            continue
        outcome.results += [Result(estimate, file.file_id) for estimate in estimates]
        outcome.notes += [f"{file.name}: {note}" for note in found.notes]
        rows.append(_row(file.file_id, found, estimates))
        parts = {"fermi": found.fermi.curve, "cutoff": found.cutoff.curve if found.cutoff else None}
        curves += [_curve(file.file_id, name, curve) for name, curve in parts.items() if curve is not None]
    if rows:
        outcome.tables = {"ups_fit": pd.DataFrame(rows), "ups_fit_curve": pd.concat(curves, ignore_index=True)}
    return outcome


def bare_insulator(growth: pd.DataFrame, layers: pd.DataFrame) -> bool:
    """Tell whether nothing but an insulating substrate was measured, by growth.yaml."""
    return layers.empty and not growth.empty and str(growth.substrate_material.iloc[0]) in INSULATORS


def _estimates(found: Levels, chosen: UpsFitParameters) -> list[Estimate]:
    edge = fermi_estimate(found.fermi, found.zero_ev, found.notes)
    estimates = [] if edge is None else [edge]
    if found.cutoff is not None and found.photon is not None:
        estimates.insert(
            0,
            work_function(
                found.fermi,
                found.cutoff,
                found.photon,
                chosen,
                found.notes,
                bias_difference_ev=found.bias_difference_ev,
                same_region=found.fermi_region == found.cutoff_region,
            ),
        )
    return estimates


def _row(file_id: int, found: Levels, estimates: list[Estimate]) -> dict[str, object]:
    row: dict[str, object] = {
        "file_id": file_id,
        "photon_energy_ev": found.photon.energy_ev if found.photon else None,
        "fermi_region": found.fermi_region,
        "cutoff_region": found.cutoff_region,
        "bias_difference_ev": found.bias_difference_ev,
        "fermi_reduced_chi_square": found.fermi.reduced_chi_square if found.fermi.curve else None,
        "notes": " ".join(found.notes),
    }
    pairs = {q: (e.value(q), e.sigma(q), "covariance") for e in estimates for q in e.quantities}
    source = "covariance" if found.fermi.curve else "datasheet"
    pairs["fermi_edge_kinetic_ev"] = (found.fermi.position_ev, float(found.fermi.std_ev[0]), source)
    cutoff = found.cutoff
    if cutoff is not None:
        std = cutoff.std_ev
        pairs["cutoff_kinetic_ev"] = (cutoff.position_ev, float(std[0]), "covariance")
        pairs["tangent_kinetic_ev"] = (cutoff.tangent_ev, float(std[1]), "bootstrap")
        row |= {"rise_ev": cutoff.rise_ev, "cutoff_reduced_chi_square": cutoff.reduced_chi_square}
    for name in UPS_FIT.column_names:
        if f"{name}_std" in UPS_FIT.column_names:
            value, sigma, origin = pairs.get(name, (None, None, None))
            row |= {name: value, f"{name}_std": sigma, f"{name}_std_source": origin}
    return {name: row.get(name) for name in UPS_FIT.column_names if name not in ("growth_id", "entity_id")}


def _curve(file_id: int, name: str, curve: Curve) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file_id": file_id,
            "edge": name,
            "point_index": np.arange(1, len(curve.energy_ev) + 1),
            "energy_ev": curve.energy_ev,
            "measured_counts": curve.measured,
            "fitted_counts": curve.fitted,
        }
    )


ROOM = Room(
    name="ups",
    title="Photoelectron spectroscopy",
    folders=("ups", "xps", "xps_ups"),
    check=check,
    assets=(ups_spectrum, ups_fit),
)
