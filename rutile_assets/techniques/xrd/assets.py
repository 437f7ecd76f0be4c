"""The diffraction room: scans to a table, Laue oscillations to planes and spacing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.errors import InvalidRecord, RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement
from rutile_assets.physics.crystal import rutile
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.scans import scan_rows, usable
from rutile_assets.techniques.xrd import figures
from rutile_assets.techniques.xrd.model import Film as Layer
from rutile_assets.techniques.xrd.model import Rod, XrdFit, XrdFitParameters, fit_rod
from rutile_assets.techniques.xrd.peaks import SUBSTRATES, Indexed, Peak, PeakParameters, index_peaks, peaks_of
from rutile_assets.techniques.xrd.tables import XRD_FIT, XRD_FIT_CURVE, XRD_PEAK, XRD_SCAN

FEWEST_POINTS = 20


def check(measurement: Measurement) -> None:
    """Refuse a file without a scan."""
    if not measurement.scans:
        raise WrongContent("no scan in the file", "a 2theta scan", "Drop the diffraction scan.")


@film_asset(room="xrd", files="xrd", writes=(XRD_SCAN,))
def xrd_scan(film: Film) -> Outcome:
    """Diffraction scans as measured, point by point, with attenuators and counting times honoured."""
    outcome = Outcome()
    frames = []
    for file, measurement in usable(film, outcome, check):
        for index, scan in enumerate(measurement.scans, start=1):
            frames.append(scan_rows(scan, XRD_SCAN, file, index))
    if frames:
        outcome.tables["xrd_scan"] = pd.concat(frames, ignore_index=True)
    return outcome


@film_asset(
    room="xrd",
    files="xrd",
    reads=("growth", "xrd_scan"),
    writes=(XRD_FIT, XRD_FIT_CURVE),
    parameters=XrdFitParameters,
    kinds=("python", "scipy"),
    figure=figures.laue,
)
def xrd_fit(film: Film) -> Outcome:
    """Planes, their spacing and the strain along the normal, from Laue oscillations on the substrate's rod.

    The sum is coherent: amplitudes of rod and layers are added. It knows rutile oxides with [110] up; a scan of another
    stack, or one that does not cross the substrate's peak, stays a table.
    """
    outcome = Outcome()
    rows: list[dict[str, object]] = []
    curves = []
    points = film.table("xrd_scan")
    for file in film.files:
        scan = points[(points.file_id == file.file_id) & (points.scan_index == 1)]
        if scan.empty:
            continue
        try:
            settings = film.measurement(file).settings
            rod = rod_of(film.table("growth"), film.table("growth_layer"), settings, film.parameters)
            if scan.detected_counts.isna().any():
                raise InvalidRecord("rates without counts", "detected counts", "Export the scan in counts.")
            exposure = scan.counting_time_s.fillna(1.0) / scan.attenuation_factor.fillna(1.0)
            fit = fit_rod(
                scan.two_theta_deg.to_numpy(dtype=float),
                scan.detected_counts.to_numpy(dtype=float),
                exposure.to_numpy(dtype=float),
                rod,
                film.parameters,
            )
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: not fitted: {fault}")
            continue
        estimate = fit.estimate()
        materials = [subject.partition(" ")[2] for subject in estimate.subjects]
        outcome.results.append(Result(estimate, file.file_id, materials))
        outcome.notes += [f"{file.name}: {note}" for note in fit.notes]
        rows += _rows(fit, file.file_id)
        weight = np.interp(fit.two_theta_deg, scan.two_theta_deg.to_numpy(dtype=float), exposure.to_numpy(dtype=float))
        curves.append(
            pd.DataFrame(
                {
                    "file_id": file.file_id,
                    "point_index": np.arange(1, len(fit.counts) + 1),
                    "two_theta_deg": fit.two_theta_deg,
                    "measured_counts_per_s": fit.counts / weight,
                    "fitted_counts_per_s": fit.expected / weight,
                }
            )
        )
    if rows:
        outcome.tables = {"xrd_fit": pd.DataFrame(rows), "xrd_fit_curve": pd.concat(curves, ignore_index=True)}
    return outcome


def rod_of(growth: pd.DataFrame, layers: pd.DataFrame, settings: Any, chosen: XrdFitParameters) -> Rod:
    """Return the nominal stack of a film; layers of the substrate's own material on it are part of it.

    Raises
    ------
    InvalidRecord
        No layers, another orientation than 110, or a material that is no rutile of the table.
    """
    if growth.empty or layers.empty:
        raise InvalidRecord("a film without layers", "layers in growth.yaml", "Write what was grown, bottom to top.")
    first = growth.to_dict("records")[0]
    substrate = str(first["substrate_material"])
    if str(first["substrate_orientation"]) != "110":
        raise InvalidRecord(f"orientation {first['substrate_orientation']!r}", "110", "Only [110] rutile is modelled.")
    rutile(substrate)
    films: list[Layer] = []
    for row in layers.sort_values("layer_index").to_dict("records"):
        rutile(str(row["material"]))
        if films or row["material"] != substrate:
            films.append(Layer(str(row["material"]), float(row["nominal_thickness_nm"]), int(row["layer_index"])))
    if not films:
        raise InvalidRecord("only layers of the substrate's material", "another material", "Nothing to fit.")
    wave = float(settings.get("wavelength_angstrom") or CU_K_ALPHA1_ANGSTROM.value)
    fwhm = float(settings.get("resolution_fwhm_deg") or chosen.resolution_fwhm_deg)
    return Rod(substrate, tuple(films), wave, fwhm)


def _rows(fit: XrdFit, file_id: int) -> list[dict[str, object]]:
    estimate = fit.estimate()
    stds = np.sqrt(np.diag(fit.covariance))
    rows = []
    for number, layer in enumerate(fit.rod.films):
        subject = f"{layer.index} {layer.material}"
        row: dict[str, object] = {"file_id": file_id, "layer_index": layer.index, "material": layer.material}
        pairs = {
            q: (estimate.value(q, subject), estimate.sigma(q, subject))
            for q in ("planes_count", "plane_spacing_nm", "laue_thickness_nm", "strain_out_of_plane_percent")
        }
        pairs["gap_nm"] = (0.1 * float(fit.vector[5 + 3 * number]), 0.1 * float(stds[5 + 3 * number]))
        for name, (value, std) in pairs.items():
            row |= {name: value, f"{name}_std": std, f"{name}_std_source": "covariance"}
        rows.append(row | {"reduced_chi_square": fit.reduced_chi_square, "notes": " ".join(fit.notes)})
    return rows


@film_asset(
    room="xrd",
    files="xrd",
    reads=("growth", "xrd_scan"),
    writes=(XRD_PEAK,),
    parameters=PeakParameters,
    kinds=("python", "scipy"),
)
def xrd_peak(film: Film) -> Outcome:
    """Bragg peaks of every scan of any stack: position, spacing, width, out-of-plane lattice where its index is told.

    A substrate of the table in peaks.py gives its peaks their orders, the film's beside them the same, and the offset
    of the goniometer. Without one the peaks stand without an index.
    """
    outcome = Outcome()
    rows: list[dict[str, object]] = []
    growth = film.table("growth").to_dict("records")
    substrate = (str(growth[0]["substrate_material"]), str(growth[0]["substrate_orientation"])) if growth else ("", "")
    points = film.table("xrd_scan")
    for file in film.files:
        mine = points[points.file_id == file.file_id]
        if mine.empty:
            continue
        measurement = film.measurement(file)
        for index, scan in mine.groupby("scan_index"):
            wave = _wavelength(measurement, int(str(index)))
            try:
                peaks = _peaks(scan.sort_values("two_theta_deg"), film.parameters)
            except RutileError as fault:
                outcome.notes.append(f"{file.name}: no peaks sought: {fault}")
                break
            told = index_peaks(peaks, SUBSTRATES[substrate], wave, film.parameters) if substrate in SUBSTRATES else {}
            for place, peak in enumerate(peaks):
                key = {"file_id": file.file_id, "scan_index": index, "peak_index": place + 1}
                rows.append(key | peak_row(peak, told.get(place), SUBSTRATES.get(substrate, 0.0), wave))
            if told:
                outcome.results.append(Result(lattice_estimate(peaks, told, wave), file.file_id))
    if rows:
        outcome.tables = {"xrd_peak": pd.DataFrame(rows)}
    return outcome


def _wavelength(measurement: Measurement, scan_index: int) -> float:
    said = measurement.settings.get("wavelength_angstrom")
    said = said or measurement.scans[scan_index - 1].settings.get("k_alpha_1_angstrom")
    return float(said) if isinstance(said, int | float) else CU_K_ALPHA1_ANGSTROM.value


def _peaks(scan: pd.DataFrame, chosen: PeakParameters) -> list[Peak]:
    if scan.detected_counts.isna().any():
        raise InvalidRecord("rates without counts", "detected counts", "Export the scan in counts.")
    if len(scan) < FEWEST_POINTS or scan.two_theta_deg.nunique() < len(scan):
        raise InvalidRecord(
            f"{len(scan)} points, {scan.two_theta_deg.nunique()} angles",
            "a 2theta scan",
            "A rocking curve has no peaks.",
        )
    exposure = scan.counting_time_s.fillna(1.0) / scan.attenuation_factor.fillna(1.0)
    angle, counts = scan.two_theta_deg.to_numpy(dtype=float), scan.detected_counts.to_numpy(dtype=float)
    return peaks_of(angle, counts, exposure.to_numpy(dtype=float), chosen)


def lattice_estimate(peaks: list[Peak], told: dict[int, Indexed], wave: float) -> Estimate:
    """Return order times spacing of every peak that has an index, as the goniometer reads it."""
    spacings = [peaks[place].spacing_angstrom(wave) for place in told]
    orders = np.array([index.order for index in told.values()])
    return Estimate(
        ("lattice_out_of_plane_nm",) * len(told),
        0.1 * orders * np.array([spacing for spacing, _ in spacings]),
        np.diag((0.1 * orders * np.array([std for _, std in spacings])) ** 2),
        "pseudo-Voigt (a doublet where the scan has K alpha 2) on a sloping background, least squares on counts",
        "covariance",
        tuple(f"{index.owner} order {index.order}" for index in told.values()),
    )


def peak_row(peak: Peak, index: Indexed | None, substrate_angstrom: float, wave: float) -> dict[str, object]:
    """Return what the table says of a peak; `substrate_angstrom` is the substrate's spacing of the first order."""
    spacing, spacing_std = peak.spacing_angstrom(wave)
    pairs: dict[str, tuple[float | None, float | None]] = {
        "two_theta_peak_deg": (peak.two_theta_deg, float(peak.stds[0])),
        "spacing_nm": (0.1 * spacing, 0.1 * spacing_std),
        "fwhm_deg": (peak.fwhm_deg, float(peak.stds[1])),
        "peak_counts_per_s": (peak.rate, float(peak.stds[2])),
        "two_theta_brightest_deg": (peak.brightest_deg, peak.brightest_std_deg),
        "lattice_out_of_plane_nm": (None, None),
        "lattice_brightest_nm": (None, None),
        "lattice_out_of_plane_corrected_nm": (None, None),
        "order_offset_deg": (None, None),
    }
    if index is not None:
        pairs["lattice_out_of_plane_nm"] = (0.1 * index.order * spacing, 0.1 * index.order * spacing_std)
        read, read_std = peak.brightest_spacing_angstrom(wave)
        pairs["lattice_brightest_nm"] = (0.1 * index.order * read, 0.1 * index.order * read_std)
        pairs["order_offset_deg"] = (index.offset_deg, index.offset_std_deg)
        theta = np.radians(peak.two_theta_deg - index.offset_deg) / 2.0
        true = index.order * wave / (2.0 * np.sin(theta))
        std = true / np.tan(theta) * np.radians(np.hypot(peak.stds[0], index.offset_std_deg)) / 2.0
        own = index.owner == "substrate"
        pairs["lattice_out_of_plane_corrected_nm"] = (0.1 * (substrate_angstrom if own else float(true)),
                                                      None if own else 0.1 * float(std))  # fmt: skip
    row: dict[str, object] = {
        "k_alpha_2_fraction": peak.k_alpha_2_fraction,
        "peak_owner": None if index is None else index.owner,
        "reflection_order": None if index is None else index.order,
        "reduced_chi_square": peak.reduced_chi_square,
        "notes": "" if peak.reduced_chi_square < 2.0 else "No exact pseudo-Voigt; the uncertainties are widened.",
    }
    for name, (value, std_of) in pairs.items():
        row |= {name: value, f"{name}_std": std_of, f"{name}_std_source": None if std_of is None else "covariance"}
    return row


ROOM = Room(
    name="xrd",
    title="X-ray diffraction",
    folders=("xrd", "xrd_theta2theta", "theta2theta"),
    check=check,
    assets=(xrd_scan, xrd_fit, xrd_peak),
)
