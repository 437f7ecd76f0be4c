"""What is true of a series' conductance, carriers and relaxation against thickness: numbers that no film has alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.truth import (
    CHANNELS,
    INTERFACE_RATIO,
    UNCAPPED,
    FilmTruth,
    relaxation,
    sheet_density_per_cm2,
    sigma_2d_s,
)
from rutile_assets.units import unit_of

FloatArray = npt.NDArray[np.float64]
STEP_NM = 0.002


def transport_truth(truths: Sequence[FilmTruth]) -> list[dict[str, object]]:
    """Return what the analyses across films may find of transport and relaxation, as rows of truth.json.

    Parameters
    ----------
    truths : sequence of FilmTruth
        All samples of the campaign; a series of fewer than four has no truth.
    """
    rows: list[dict[str, object]] = []
    for series in CHANNELS:
        films = np.array([truth.film.thickness_nm for truth in truths if truth.series == series])
        if len(films) < 4:
            continue
        found = _channels(series) | _extrema(series, float(films.min()), float(films.max()))
        if series == UNCAPPED:
            found |= {("relaxation_onset_nm", d): onset_nm(i) for i, d in enumerate(("[001]", "[1-10]"))}
        rows += [
            {"growth_id": None, "series": series, "quantity": q, "subject": s, "value": v, "unit": unit_of(q)}
            for (q, s), v in found.items()
        ]
    return rows


def _channels(series: str) -> dict[tuple[str, str], float]:
    found = {}
    for kelvin, (bulk, intercept) in CHANNELS[series].items():
        subject = f"{kelvin:g} K"
        found[("bulk_conductivity_s_per_cm", subject)] = bulk
        found[("line_intercept_nm", subject)] = intercept
        found[("interface_conductivity_s_per_cm", subject)] = bulk * INTERFACE_RATIO
        found[("interface_thickness_nm", subject)] = intercept / (1.0 - INTERFACE_RATIO)
    return found


def _extrema(series: str, thinnest_nm: float, thickest_nm: float) -> dict[tuple[str, str], float]:
    grid = np.arange(thinnest_nm, thickest_nm, STEP_NM)
    density = np.log([sheet_density_per_cm2(series, float(t)) for t in grid])
    dip, found = most_prominent_nm(grid, -density), {}
    for kelvin in CHANNELS[series]:
        conductance = np.log([sigma_2d_s(series, float(t), kelvin) for t in grid])
        peak = most_prominent_nm(grid, conductance - density)
        for quantity, place in (("density_dip_thickness_nm", dip), ("mobility_peak_thickness_nm", peak)):
            if place is not None:
                found[(quantity, f"{kelvin:g} K")] = place
    return found


def most_prominent_nm(thickness_nm: FloatArray, values: FloatArray) -> float | None:
    """Return where a curve (N,) has its most prominent maximum between its ends [nm]; None where it has none."""
    inner = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])) + 1
    if not len(inner):
        return None
    height = [min(values[i] - values[:i].min(), values[i] - values[i:].min()) for i in inner]
    return float(thickness_nm[inner[int(np.argmax(height))]])


def onset_nm(direction: int) -> float:
    """Return the thickness up to which a film is coherent along [001] (0) or [1-10] (1) [nm]."""
    grid = np.arange(0.0, 30.0, 1e-3)
    return float(grid[np.array([relaxation(float(t))[direction] > 0.0 for t in grid])][0] - 1e-3)
