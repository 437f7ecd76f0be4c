"""The reciprocal space map room: maps to a table, maps to the film's in-plane lattice and its relaxation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.errors import InvalidRecord, RutileError, WrongContent
from rutile_assets.formats.measurement import Measurement, Scan
from rutile_assets.formats.xray import axis_kind
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.reciprocal import Reflection, chosen_reflection, identify
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.rsm import figures
from rutile_assets.techniques.rsm.fit import MapFit, RsmFitParameters, fit_map, lateral_width, second_fraction
from rutile_assets.techniques.rsm.plane import MeshPoints, substrate_peak, to_plane
from rutile_assets.techniques.rsm.relaxation import component_estimate, relaxation_estimate
from rutile_assets.techniques.rsm.tables import RSM_FIT, RSM_FIT_POINT, RSM_SCAN, RSM_SCAN_MAP


def check(measurement: Measurement) -> None:
    """Refuse a file that is no map: one scan, or an omega that nobody recorded.

    Raises
    ------
    WrongContent
        See above.
    """
    if len(measurement.scans) < 2:
        raise WrongContent(
            f"{len(measurement.scans)} scan", "scans at several omega or chi", "A single scan belongs in xrd/."
        )
    for scan in measurement.scans:
        omega_of(scan)


def omega_of(scan: Scan) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return omega at every point of a scan [deg]: as listed, held still, or moving at half of 2theta.

    Raises
    ------
    WrongContent
        The file does not say where omega stood.
    """
    if "omega_deg" in scan.columns:
        return scan.columns["omega_deg"]
    two_theta, start = scan.columns["two_theta_deg"], scan.settings.get("omega_deg")
    if not isinstance(start, float):
        raise WrongContent("a scan without omega", "where omega stood", "Export the map with its axes.")
    if axis_kind(scan.settings.get("scan_axis")) == "coupled":
        return np.asarray(start + 0.5 * (two_theta - two_theta[0]))
    return np.full(len(two_theta), start)


@film_asset(room="rsm", files="rsm", writes=(RSM_SCAN, RSM_SCAN_MAP))
def rsm_scan(film: Film) -> Outcome:
    """Reciprocal space maps as measured, point by point, and the brightest point of each."""
    outcome = Outcome()
    frames, maps = [], []
    for file in film.files:
        try:
            measurement = film.measurement(file)
            check(measurement)
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        mesh = []
        for index, scan in enumerate(measurement.scans, start=1):
            frame = pd.DataFrame({c: scan.columns[c] for c in RSM_SCAN.column_names if c in scan.columns})
            frame = frame.assign(scan_index=index, point_index=np.arange(1, len(frame) + 1), omega_deg=omega_of(scan))
            if "chi_deg" not in frame:
                frame = frame.assign(chi_deg=float(str(scan.settings.get("chi_deg") or 0.0)))
            mesh.append(frame)
        points = pd.concat(mesh, ignore_index=True).assign(file_id=file.file_id)
        frames.append(points)
        maps.append(_brightest(points, file.file_id, len(mesh), wavelength(measurement)))
    if frames:
        outcome.tables = {"rsm_scan": pd.concat(frames, ignore_index=True), "rsm_scan_map": pd.DataFrame(maps)}
    return outcome


def wavelength(measurement: Measurement) -> float:
    """Return the wavelength [angstrom]: declared, else the first scan's K alpha 1, else copper's."""
    said = measurement.settings.get("wavelength_angstrom") or measurement.scans[0].settings.get("k_alpha_1_angstrom")
    return float(said) if isinstance(said, int | float) else CU_K_ALPHA1_ANGSTROM.value


def _brightest(points: pd.DataFrame, file_id: int, scans: int, wave: float) -> dict[str, object]:
    top = points.iloc[int(np.argmax(points.intensity_counts_per_s.to_numpy()))]
    q = float(4.0 * np.pi * np.sin(np.radians(float(top.two_theta_deg) / 2.0)) / wave)
    return {
        "file_id": file_id,
        "scans_count": scans,
        "map_points_count": len(points),
        "brightest_omega_deg": top.omega_deg,
        "brightest_two_theta_deg": top.two_theta_deg,
        "brightest_chi_deg": top.chi_deg,
        "brightest_counts_per_s": top.intensity_counts_per_s,
        "brightest_q_per_angstrom": q,
        "brightest_spacing_angstrom": 2.0 * np.pi / q,
    }


@film_asset(
    room="rsm",
    files="rsm",
    reads=("growth", "rsm_scan"),
    writes=(RSM_FIT, RSM_FIT_POINT),
    parameters=RsmFitParameters,
    kinds=("python", "scipy"),
    figure=figures.maps,
)
def rsm_fit(film: Film) -> Outcome:
    """In-plane lattice and relaxation of a rutile film on rutile (110), along [001] and [1-10] apart.

    The substrate's peak sets the zeros in angle space. A map about a mixed reflection, (301), tells a direction only
    beside another map. Stacks with layers above the film, and other substrates, stay a table.
    """
    outcome = Outcome()
    rows: list[dict[str, object]] = []
    fits: list[MapFit] = []
    points = []
    for file in film.files:
        mesh = film.table("rsm_scan").query("file_id == @file.file_id")
        if mesh.empty:
            continue
        try:
            fit = _fit(film, film.measurement(file), mesh)
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: not fitted: {fault}")
            continue
        estimate = component_estimate(fit)
        outcome.results.append(Result(estimate, file.file_id, [fit.film] * len(estimate.quantities)))
        outcome.notes += [f"{file.name}: {note}" for note in fit.notes]
        fits.append(fit)
        rows += _rows(fit, file.file_id, film.parameters.lattices)
        points.append(_points(fit, file.file_id))
    if not fits:
        return outcome
    outcome.tables = {"rsm_fit": pd.DataFrame(rows), "rsm_fit_point": pd.concat(points, ignore_index=True)}
    means = [component_estimate(fit).part([0]) for fit in fits]
    told, notes = relaxation_estimate(
        [fit.plane.reflection for fit in fits],
        np.array([float(mean.values[0]) for mean in means]),
        np.array([float(mean.std[0]) for mean in means]),
        fits[0].substrate,
        fits[0].film,
        film.parameters.lattices,
    )
    if told is not None:
        outcome.results.append(Result(told, None, [fits[0].film] * len(told.quantities)))
    outcome.notes += notes
    return outcome


def _fit(film: Film, measurement: Measurement, mesh: pd.DataFrame) -> MapFit:
    substrate, layer, nominal_nm = film_on_substrate(film.table("growth"), film.table("growth_layer"))
    chosen: RsmFitParameters = film.parameters
    if mesh.detected_counts.isna().any():
        raise InvalidRecord("rates without counts", "detected counts", "Export the map in counts.")
    points = MeshPoints(
        mesh.omega_deg.to_numpy(dtype=float),
        mesh.two_theta_deg.to_numpy(dtype=float),
        mesh.chi_deg.to_numpy(dtype=float),
        mesh.detected_counts.to_numpy(dtype=float),
        (mesh.counting_time_s.fillna(1.0) / mesh.attenuation_factor.fillna(1.0)).to_numpy(dtype=float),
        wavelength(measurement),
    )
    peak = substrate_peak(points)
    lattice = rutile(substrate, chosen.lattices)
    declared: Mapping[str, Any] = measurement.settings
    nominal: Reflection = (
        chosen_reflection(lattice, declared["reflection"])
        if declared.get("reflection") is not None
        else identify(lattice, peak.two_theta_deg, peak.tilt_deg, points.wavelength_angstrom, chosen.offset_deg)
    )
    return fit_map(to_plane(points, peak, nominal), substrate, layer, nominal_nm, chosen)


def film_on_substrate(growth: pd.DataFrame, layers: pd.DataFrame) -> tuple[str, str, float]:
    """Return substrate, film and its nominal thickness [nm] where a map can be fitted.

    Raises
    ------
    InvalidRecord
        Another orientation than 110, no film, or layers above it: their interference is not modelled here.
    """
    if growth.empty or layers.empty:
        raise InvalidRecord("a film without layers", "layers in growth.yaml", "Write what was grown, bottom to top.")
    first = growth.to_dict("records")[0]
    substrate = str(first["substrate_material"])
    if str(first["substrate_orientation"]) != "110":
        raise InvalidRecord(f"orientation {first['substrate_orientation']!r}", "110", "Only [110] rutile is modelled.")
    rutile(substrate)
    others = [row for row in layers.sort_values("layer_index").to_dict("records") if row["material"] != substrate]
    last = layers.sort_values("layer_index").to_dict("records")[-1]
    if len(others) != 1 or last["material"] == substrate:
        raise InvalidRecord(
            "a stack of several layers", "one film on its substrate", "The map is kept as a table; Laue has the planes."
        )
    rutile(str(others[0]["material"]))
    return substrate, str(others[0]["material"]), float(others[0]["nominal_thickness_nm"])


def _rows(fit: MapFit, file_id: int, lattices: str) -> list[dict[str, object]]:
    here, estimate = fit.plane.reflection, component_estimate(fit)
    hkl = "".join(map(str, here.hkl))
    part = second_fraction(fit.vector)
    shared = {
        "file_id": file_id,
        "reflection": hkl,
        "lattices": lattices,
        "omega_offset_deg": fit.plane.omega_offset_deg,
        "two_theta_offset_deg": fit.plane.two_theta_offset_deg,
        "chi_offset_deg": fit.plane.chi_offset_deg,
        "substrate_q_001_per_angstrom": here.q_001,
        "substrate_q_1m10_per_angstrom": here.q_1m10,
        "substrate_q_110_per_angstrom": here.q_110,
        "component_delta_bic": fit.delta_bic,
        "reduced_chi_square": fit.reduced_chi_square,
        "notes": " ".join(fit.notes),
    }
    rows = []
    for number in range(1, fit.components + 1):
        subject = hkl if fit.components == 1 else f"{hkl} component {number}"
        row: dict[str, object] = {
            **shared,
            "component_index": number,
            "intensity_fraction": 1.0 - part if number == 1 else part,
            "lateral_width_per_angstrom": lateral_width(fit.plane, fit.vector, number),
        }
        for name in ("q_parallel_per_angstrom", "q_110_per_angstrom"):
            row |= {
                name: estimate.value(name, subject),
                f"{name}_std": estimate.sigma(name, subject),
                f"{name}_std_source": "covariance",
            }
        rows.append(row)
    return rows


def _points(fit: MapFit, file_id: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file_id": file_id,
            "point_index": np.arange(1, len(fit.expected) + 1),
            "q_in_plane_per_angstrom": fit.plane.q_parallel,
            "q_normal_per_angstrom": fit.plane.q_normal,
            "measured_counts_per_s": fit.plane.counts / fit.plane.exposure,
            "fitted_counts_per_s": fit.expected / fit.plane.exposure,
        }
    )


ROOM = Room(
    name="rsm",
    title="Reciprocal space maps",
    folders=("rsm",),
    check=check,
    assets=(rsm_scan, rsm_fit),
)
