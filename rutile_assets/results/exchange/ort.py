"""Reflectivity as ORSO .ort text: Qz with its resolution, R with its counting noise, and how R was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from rutile_assets import __version__
from rutile_assets.provenance.crate.selection import Selection
from rutile_assets.provenance.crate.write import Extra
from rutile_assets.results.exchange.measured import Measured, measured

FloatArray = npt.NDArray[np.float64]
_FIRST = "# ORSO reflectivity data file | 1.1 standard | YAML encoding | https://www.reflectometry.org/"
FWHM_OVER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
COLUMNS = (
    {"name": "Qz", "unit": "1/angstrom", "physical_quantity": "normal_wavevector_transfer"},
    {"name": "R", "physical_quantity": "reflectivity"},
    {"error_of": "R", "error_type": "uncertainty", "distribution": "gaussian", "value_is": "sigma"},
    {"error_of": "Qz", "error_type": "resolution", "distribution": "gaussian", "value_is": "sigma"},
)


def ort_files(selection: Selection) -> Iterator[Extra]:
    """Write every reflectivity scan that was fitted: the fit gives the direct beam and the goniometer's zero.

    The format: https://github.com/reflectivity/file_format. R is counts times attenuation over exposure over the
    direct beam of the fit; footprint and background stay in R, as they stay in what the room fits.
    """
    fits = {row["file_id"]: row for row in selection.rows("xrr_fit")}
    for file in measured(selection, "xrr_scan"):
        fit = fits.get(file.file_id)
        if fit is not None:
            text = "\n".join(["# " + line for line in _header(file, fit)] + _lines(reflectivity(file, fit))) + "\n"
            yield Extra(file.out(".ort"), text.encode(), f"reflectivity of {file.place} in ORSO's text format")


def reflectivity(file: Measured, fit: dict[str, Any]) -> FloatArray:
    """Return qz, R, sigma of R and sigma of qz, (4, Q) in 1/angstrom and ratios, of the file's first scan.

    q = 4 pi / lambda sin(theta), theta = (2theta - zero) / 2; its resolution is cos(theta) times that of theta.
    Sigma of R is that of the counts (one count where there is none), or the one that the file gives; else NaN.
    """
    points = file.points[file.points.scan_index == file.points.scan_index.min()]
    theta = np.radians((points.two_theta_deg.to_numpy(dtype=float) - fit["two_theta_zero_deg"]) / 2.0)
    beam = fit["direct_beam_counts_per_s"]
    rate = points.intensity_counts_per_s.to_numpy(dtype=float)
    counts = points.detected_counts.to_numpy(dtype=float)
    scale = points.attenuation_factor.fillna(1.0).to_numpy(dtype=float)
    scale = scale / points.counting_time_s.fillna(1.0).to_numpy(dtype=float)
    given = points.intensity_counts_per_s_std.to_numpy(dtype=float)
    sigma = np.where(np.isnan(given), np.sqrt(np.maximum(counts, 1.0)) * scale, given)
    k = 4.0 * np.pi / file.wavelength_angstrom
    spread = np.radians(fit["resolution_fwhm_deg"]) / 2.0 / FWHM_OVER_SIGMA
    rows = np.stack([k * np.sin(theta), rate / beam, sigma / beam, k * np.cos(theta) * spread])
    return np.asarray(rows[:, theta > 0.0])


def _header(file: Measured, fit: dict[str, Any]) -> list[str]:
    points = file.points[file.points.scan_index == file.points.scan_index.min()]
    angles = points.two_theta_deg.to_numpy(dtype=float) / 2.0
    simulated = ["simulated data, not measured"] if file.is_simulated else []
    when = None if file.acquired_at is None else file.acquired_at.isoformat()
    said = {
        "data_source": {
            "owner": {"name": None, "affiliation": None},
            "experiment": {
                "title": file.title, "instrument": file.instrument, "start_date": when, "probe": "x-ray",
            },
            "sample": {"name": file.growth_id, "category": "gas / solid", "composition": file.stack},
            "measurement": {
                "instrument_settings": {
                    "incident_angle": {"min": float(angles.min()), "max": float(angles.max()), "unit": "deg"},
                    "wavelength": {"magnitude": file.wavelength_angstrom, "unit": "angstrom"},
                },
                "data_files": [{"file": file.place, "timestamp": when, "comment": f"sha256 {file.sha256}"}],
                "scheme": "angle-dispersive",
            },
        },
        "reduction": {
            "software": {"name": "rutile_assets", "version": __version__},
            "corrections": [
                "attenuator and counting time",
                f"divided by the direct beam of the fit, {fit['direct_beam_counts_per_s']:.6g} counts/s",
                f"zero of 2theta of the fit, {fit['two_theta_zero_deg']:.6g} deg, taken off",
                *simulated,
            ],
            "comment": "footprint and background are not corrected; "
            f"entity {file.entity_id} of xrr_scan, entity {fit['entity_id']} of xrr_fit",
        },
        "data_set": 0,
        "columns": list(COLUMNS),
    }  # fmt: skip
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=10_000)
    names = "".join(f"{name:>24}" for name in ("Qz", "R", "sR", "sQz"))
    return [_FIRST, *text.splitlines(), f"# {names[4:]}"]


def _lines(columns: FloatArray) -> list[str]:
    table = pd.DataFrame(columns.T)
    return ["".join(f"{value:24.12e}" for value in row) for row in table.itertuples(index=False)]
