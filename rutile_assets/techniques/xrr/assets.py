"""The reflectivity room: scans to a table, scans and growth to a fitted stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.errors import InvalidRecord, RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement
from rutile_assets.physics.scattering import density_of
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.scans import scan_rows, usable
from rutile_assets.techniques.xrr import figures
from rutile_assets.techniques.xrr.fit import XrrFit, fit_curve
from rutile_assets.techniques.xrr.model import Curve, Instrument, Layer, Stack, visible_stack
from rutile_assets.techniques.xrr.parameters import XrrFitParameters
from rutile_assets.techniques.xrr.tables import XRR_FIT, XRR_FIT_CURVE, XRR_FIT_LAYER, XRR_SCAN

FloatArray = npt.NDArray[np.float64]
SETTINGS = ("beam_width_mm", "sample_length_mm", "resolution_fwhm_deg", "wavelength_angstrom")


def check(measurement: Measurement) -> None:
    """Refuse a file that holds no scan, or sidecar settings that are no positive numbers."""
    if not measurement.scans:
        raise WrongContent("no scan in the file", "a 2theta scan", "Drop the reflectivity scan.")
    for name in SETTINGS:
        value = measurement.settings.get(name)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise WrongContent(f"{name}: {value!r}", "a positive number", "Correct the sidecar.")


@film_asset(room="xrr", files="xrr", writes=(XRR_SCAN,), kinds=("python",))
def xrr_scan(film: Film) -> Outcome:
    """Reflectivity scans as measured, point by point, with attenuators and counting times honoured."""
    outcome = Outcome()
    frames = []
    for file, measurement in usable(film, outcome, check):
        for index, scan in enumerate(measurement.scans, start=1):
            frame = scan_rows(scan, XRR_SCAN, file, index)
            given = "intensity_counts_per_s_std" in frame
            frames.append(frame.assign(intensity_counts_per_s_std_source="counting" if given else None))
    if frames:
        outcome.tables["xrr_scan"] = pd.concat(frames, ignore_index=True)
    return outcome


@film_asset(
    room="xrr",
    files="xrr",
    reads=("growth", "xrr_scan"),
    writes=(XRR_FIT, XRR_FIT_LAYER, XRR_FIT_CURVE),
    parameters=XrrFitParameters,
    kinds=("python", "scipy"),
    figure=figures.reflectivity,
)
def xrr_fit(film: Film) -> Outcome:
    """Thickness, roughness and density of each layer from reflectivity, with their covariance.

    A buffer of the substrate's own density cannot be seen and is not fitted. A bare substrate has its roughness
    fitted. Where counting noise limits the fit an adsorbate's thickness is summed over; elsewhere the shift that an
    unseen 0.5 nm would make is a named systematic of every number.
    """
    outcome = Outcome()
    rows: dict[str, list[pd.DataFrame]] = {"xrr_fit": [], "xrr_fit_layer": [], "xrr_fit_curve": []}
    points = film.table("xrr_scan")
    for file in film.files:
        scans = points[points.file_id == file.file_id]
        if scans.empty:
            continue
        try:
            settings = film.measurement(file).settings
            wave = _wavelength(settings)
            stack = stack_of(film.table("growth"), film.table("growth_layer"), wave)
            fit = fit_curve(
                curve_of(scans[scans.scan_index == scans.scan_index.min()]),
                stack,
                instrument_of(settings, film.parameters, wave),
                film.parameters,
                film.seed,
            )
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        estimate = fit.estimate()
        materials = [subject.partition(" ")[2] or None for subject in estimate.subjects]
        outcome.results.append(Result(estimate, file.file_id, materials))
        outcome.notes += [f"{file.name}: {note}" for note in fit.notes]
        for name, frame in _rows(fit, file.file_id).items():
            rows[name].append(frame)
    outcome.tables = {name: pd.concat(frames, ignore_index=True) for name, frames in rows.items() if frames}
    return outcome


def curve_of(points: pd.DataFrame) -> Curve:
    """Return a scan as the fit takes it: counts with their exposure where the file has counts, else rates."""
    angle = points.two_theta_deg.to_numpy(dtype=float)
    if points.detected_counts.notna().all():
        time = points.counting_time_s.fillna(1.0).to_numpy(dtype=float)
        attenuation = points.attenuation_factor.fillna(1.0).to_numpy(dtype=float)
        _, behind = np.unique(attenuation, return_inverse=True)
        counts = points.detected_counts.to_numpy(dtype=float)
        return Curve(angle, counts, time / attenuation, None, is_counts=True, attenuator=behind)
    given = points.intensity_counts_per_s_std
    sigma = given.to_numpy(dtype=float) if given.notna().all() and (given > 0).all() else None
    return Curve(
        angle, points.intensity_counts_per_s.to_numpy(dtype=float), np.ones(len(angle)), sigma, is_counts=False
    )


def stack_of(growth: pd.DataFrame, layers: pd.DataFrame, wavelength_angstrom: float) -> Stack:
    """Return the nominal stack of a film; a growth without layers is its bare substrate.

    Raises
    ------
    InvalidRecord
        The film has no growth, or a material has no known density.
    """
    if growth.empty:
        raise InvalidRecord("a film without a growth", "growth.yaml", "Write the substrate and what was grown on it.")
    first = growth.to_dict("records")[0]
    density = density_of(str(first["substrate_material"]), _known(first["substrate_density_g_per_cm3"]))
    substrate = Layer(str(first["substrate_material"]), 0.0, density, 0)
    above = [
        Layer(
            str(row["material"]),
            float(row["nominal_thickness_nm"]),
            density_of(str(row["material"]), _known(row["density_g_per_cm3"])),
            int(row["layer_index"]),
        )
        for row in layers.sort_values("layer_index").to_dict("records")
    ]
    return visible_stack(substrate, above, wavelength_angstrom) if above else Stack(substrate, ())


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def instrument_of(settings: Mapping[str, object], chosen: XrrFitParameters, wavelength_angstrom: float) -> Instrument:
    """Return what is known of the instrument from the file and its sidecar; the rest is fitted."""
    resolution = float(str(settings.get("resolution_fwhm_deg") or chosen.resolution_fwhm_deg)) or None
    width, length = settings.get("beam_width_mm"), settings.get("sample_length_mm")
    ratio = float(str(width)) / float(str(length)) if width and length else None
    return Instrument(wavelength_angstrom, resolution, ratio)


def _wavelength(settings: Mapping[str, object]) -> float:
    return float(str(settings.get("wavelength_angstrom") or CU_K_ALPHA1_ANGSTROM.value))


def _rows(fit: XrrFit, file_id: int) -> dict[str, pd.DataFrame]:
    model, estimate = fit.model, fit.estimate()
    values = dict(zip(model.names, fit.vector, strict=True))
    stds = dict(zip(model.names, np.sqrt(np.diag(fit.covariance)), strict=True))
    given = model.instrument
    ratio = given.width_over_length or 10.0 ** values["log10_width_over_length"]
    total: tuple[float | None, float | None] = (None, None)
    if model.stack.layers:
        total = _pair(estimate, "total_thickness_nm", "")
    summary = {
        "file_id": file_id,
        "points_count": len(fit.curve.intensity),
        "free_parameters_count": len(fit.vector),
        "reduced_chi_square": fit.reduced_chi_square,
        "is_misfit": fit.model_error > 0,
        "model_error_ratio": fit.model_error,
        **_estimated("total_thickness_nm", *total, fit),
        **_estimated("two_theta_zero_deg", values["two_theta_zero_deg"], stds["two_theta_zero_deg"], fit),
        "resolution_fwhm_deg": given.resolution_fwhm_deg or values["resolution_fwhm_deg"],
        "beam_width_over_length_ratio": ratio,
        "direct_beam_counts_per_s": 10.0 ** values["log10_scale"],
        "background_counts_per_s": 10.0 ** values["log10_background"],
        "at_bounds": ", ".join(fit.at_bounds),
        "notes": " ".join(fit.notes),
    }
    substrate = model.stack.substrate
    layers = [
        {
            "file_id": file_id,
            "layer_index": 0,
            "material": substrate.material,
            **_estimated("thickness_nm", None, None, fit),
            **_estimated("roughness_nm", *_pair(estimate, "roughness_nm", "substrate"), fit),
            **_estimated("density_g_per_cm3", substrate.density_g_per_cm3, None, fit),
        }
    ]
    for layer in model.stack.layers:
        subject = f"{layer.index} {layer.material}"
        row: dict[str, object] = {"file_id": file_id, "layer_index": layer.index, "material": layer.material}
        for quantity in ("thickness_nm", "roughness_nm", "density_g_per_cm3"):
            row |= _estimated(quantity, *_pair(estimate, quantity, subject), fit)
        layers.append(row)
    curve = pd.DataFrame(
        {
            "file_id": file_id,
            "point_index": np.arange(1, len(fit.curve.intensity) + 1),
            "two_theta_deg": fit.curve.two_theta_deg,
            "measured_counts_per_s": fit.curve.intensity / fit.curve.exposure,
            "fitted_counts_per_s": fit.expected / fit.curve.exposure,
            "residual": fit.residual,
        }
    )
    return {"xrr_fit": pd.DataFrame([summary]), "xrr_fit_layer": pd.DataFrame(layers), "xrr_fit_curve": curve}


def _pair(estimate: Estimate, quantity: str, subject: str) -> tuple[float, float]:
    return estimate.value(quantity, subject), estimate.sigma(quantity, subject)


def _estimated(name: str, value: float | None, std: float | None, fit: XrrFit) -> dict[str, object]:
    return {name: value, f"{name}_std": std, f"{name}_std_source": None if std is None else fit.std_source}


ROOM = Room(
    name="xrr", title="X-ray reflectivity", folders=("xrr", "reflectivity"), check=check, assets=(xrr_scan, xrr_fit)
)
