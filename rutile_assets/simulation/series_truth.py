"""What is true of a series of simulated films: numbers that no single film has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rutile_assets.physics.work_function import baseline
from rutile_assets.simulation.truth import UNCAPPED, FilmTruth, work_function_ev
from rutile_assets.units import unit_of

STEP_NM = 0.002


def series_truth(truths: Sequence[FilmTruth]) -> list[dict[str, object]]:
    """Return what the analyses across films may find, as rows of truth.json with `series` in place of a growth.

    Of the uncapped films' work function: where its curve peaks between the thinnest and the thickest film, how far
    the peak stands above the lowest film, and what it has over the straight line from bulk TiO2 to the thickest film.
    A band that saturates has no true length on this curve, so its share has no truth.

    Parameters
    ----------
    truths : sequence of FilmTruth
        All samples of the campaign.
    """
    films = np.array([truth.film.thickness_nm for truth in truths if truth.series == UNCAPPED])
    if len(films) < 2:
        return []
    grid = np.arange(films.min(), films.max(), STEP_NM)
    curve = np.array([work_function_ev(float(t)) for t in grid])
    top = int(curve.argmax())
    if top in (0, len(grid) - 1):
        return []
    thickest = float(films.max())
    start, end = np.array(work_function_ev(0.0)), np.array(work_function_ev(thickest))
    band = baseline(np.array(grid[top]), start, end, np.array(thickest), np.array(np.inf))
    found = {
        ("work_function_peak_thickness_nm", ""): float(grid[top]),
        ("work_function_peak_ev", ""): float(curve[top]),
        ("work_function_modulation_ev", ""): float(curve[top] - min(work_function_ev(float(t)) for t in films)),
        ("polarization_component_ev", "linear"): float(curve[top] - band),
    }
    return [
        {"growth_id": None, "series": UNCAPPED, "quantity": q, "subject": s, "value": v, "unit": unit_of(q)}
        for (q, s), v in found.items()
    ]
