"""Days at the Kelvin probe: one tip a session, the reference sample first and last, the films between them."""

from __future__ import annotations

from datetime import datetime, timedelta

from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import TIP_WORK_FUNCTION_EV, TipVisit

SAMPLES = 5  # in a session, besides the reference
FILM_MAPS, REFERENCE_MAPS = 3, 2
MAP_EVERY = timedelta(minutes=20)
SAMPLE_EVERY = timedelta(minutes=90)


def sample_visit(seed: int, session: int, place: int, began_at: datetime, realism: Realism) -> TipVisit:
    """Return the visit of the sample at a place (from 0) of a session (from 0) that began at `began_at`."""
    return _visit(seed, session, began_at, 1 + place, FILM_MAPS, realism)


def reference_visits(seed: int, session: int, began_at: datetime, realism: Realism) -> tuple[TipVisit, TipVisit]:
    """Return the visits of the reference before and after the samples of a session."""
    first = _visit(seed, session, began_at, 0, REFERENCE_MAPS, realism)
    return first, _visit(seed, session, began_at, 1 + SAMPLES, REFERENCE_MAPS, realism)


def _visit(seed: int, session: int, began_at: datetime, turn: int, maps: int, realism: Realism) -> TipVisit:
    """Return a visit under the session's tip, whose work function drifts linearly from the first turn to the last."""
    rng = generator(seed, "tip", str(session))
    own, drift = realism.tip_scatter_ev * rng.normal(), realism.session_drift_ev * rng.normal()
    middle = turn * SAMPLE_EVERY + 0.5 * maps * MAP_EVERY
    elapsed = middle / ((1 + SAMPLES) * SAMPLE_EVERY)
    return TipVisit(
        f"T{session + 1:02d}",
        began_at + turn * SAMPLE_EVERY,
        TIP_WORK_FUNCTION_EV + own + drift * (elapsed - 0.5),
        maps,
    )
