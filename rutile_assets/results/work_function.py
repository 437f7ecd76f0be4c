"""Work functions on one scale, and against thickness: contact potentials, photoelectrons and reflectivity together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.estimate import Estimate
from rutile_assets.physics.tip_sessions import Reference, Scale, TipHabits, Visit, one_scale
from rutile_assets.physics.work_function import SeriesCurve, dipole_note, series_curve
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import Room, across_films
from rutile_assets.results.thickness import Thicknesses, thicknesses
from rutile_assets.results.work_function_figure import against_thickness
from rutile_assets.results.work_function_inputs import (
    Sample,
    by_photoelectrons,
    points_of,
    references_of,
    samples_of,
    visits_of,
)
from rutile_assets.results.work_function_series import (
    comparison_estimates,
    curve_rows,
    fit_rows,
    series_estimates,
)
from rutile_assets.results.work_function_tables import WORK_FUNCTION, WORK_FUNCTION_CURVE, WORK_FUNCTION_FIT

FloatArray = npt.NDArray[np.float64]

PHI = "work_function_kpfm_ev"
UNDECIDED = 0.2  # relative error of the peak's place above which the curve may have another maximum
AIR = (
    "The reference's photoelectrons were taken in vacuum and the contact potentials in air: what adsorbs moves all "
    "samples alike and leaves differences alone, as long as it is the same on all."
)


@dataclass(frozen=True)
class WorkFunctionParameters:
    """What a person may choose about the work function's scale and its curve.

    Parameters
    ----------
    references : str
        growth_ids of the samples that set the scale, separated by blanks; empty takes, tip by tip, the film with a work
        function by photoelectrons that was visited most often under it.
    drift_v_per_h : float
        How fast a tip's work function drifts, one sigma [V/h].
    session_gap_h : float
        A longer pause under one tip begins a new session, which needs its own look at the reference [h].
    session_h : float
        Length of a session of which nobody noted the times [h].
    nominal_std_ratio : float
        Relative error of a nominal thickness, where reflectivity has none.
    draws_count : int
        Curves drawn for each description of a series.
    """

    references: str = ""
    drift_v_per_h: float = 0.003
    session_gap_h: float = 6.0
    session_h: float = 8.0
    nominal_std_ratio: float = 0.05
    draws_count: int = 2000


@across_films(
    room="work_function",
    reads=("growth", "xrr_fit", "kpfm_potential", "ups_fit"),
    writes=(WORK_FUNCTION, WORK_FUNCTION_CURVE, WORK_FUNCTION_FIT),
    parameters=WorkFunctionParameters,
    kinds=("python", "scipy"),
    figure=against_thickness,
)
def work_function(films: Films) -> Outcome:
    """Work functions of all samples on one scale, and each series' curve against thickness.

    Phi = Phi_reference + e (V_reference - V) under each tip, its drift from the repeated reference; the reference's Phi
    by photoelectrons (convolved edge). A sample under a tip that has not seen a reference gets no number. A series of
    four films gets a curve: band (linear, saturating) and peak, or no given shape, weighed by BIC; errors of work
    function and thickness with their covariance.
    """
    outcome = Outcome()
    chosen: WorkFunctionParameters = films.parameters or WorkFunctionParameters()
    samples, known = samples_of(films), by_photoelectrons(films)
    visits, unknown = visits_of(films, chosen.session_gap_h)
    references = references_of(chosen.references.split(), known, visits, samples)
    scale = one_scale(visits, references, TipHabits(chosen.drift_v_per_h, chosen.session_h))
    thick = thicknesses(films, chosen.nominal_std_ratio)
    outcome.notes += [*scale.notes, *(f"{s}: {why}" for s, why in {**unknown, **scale.left_out}.items())]
    outcome.tables["work_function"] = _sample_rows(scale, visits, references, unknown, thick, samples)
    if scale.samples:
        outcome.results.append(Result(_scale_estimate(scale), growth_id=scale.samples))
        outcome.notes += [AIR, *_bare_notes(scale, known, samples)]
    rng = np.random.default_rng(films.seed)
    fits, curves = [], []
    for series in sorted(set(thick.rows.series)):
        points, effects, told = points_of(series, scale, known, thick, samples)
        if points is None:
            outcome.notes.append(f"{series}: {told}")
            continue
        found = series_curve(points, chosen.draws_count, rng)
        notes = (*filter(None, [told]), *_series_notes(series, found))
        outcome.notes += notes
        fits.append(fit_rows(series, points, found, " ".join(notes)))
        curves.append(curve_rows(series, found))
        if found.has_peak:
            outcome.results += [Result(e, series=series) for e in series_estimates(found, effects, notes)]
            outcome.results += [Result(e, series=series) for e in comparison_estimates(points)]
    for table, frames in ((WORK_FUNCTION_FIT, fits), (WORK_FUNCTION_CURVE, curves)):
        empty = pd.DataFrame(columns=table.column_names[1:])
        outcome.tables[table.name] = pd.concat(frames, ignore_index=True) if frames else empty
    return outcome


def _sample_rows(
    scale: Scale,
    visits: list[Visit],
    references: list[Reference],
    unknown: dict[str, str],
    thick: Thicknesses,
    samples: dict[str, Sample],
) -> pd.DataFrame:
    shifts = sum((s**2 for s in scale.systematics_ev.values()), np.zeros(len(scale.samples)))
    total = np.sqrt(np.diag(scale.covariance_ev2) + shifts)
    tied = {r.sample: {v.session for v in visits if v.sample == r.sample} for r in references}
    rows = []
    for sample in [*scale.samples, *scale.left_out, *unknown]:
        if sample not in samples:
            continue
        mine = [visit for visit in visits if visit.sample == sample]
        anchors = [r for r, where in tied.items() if where & {visit.session for visit in mine}]
        place = scale.samples.index(sample) if sample in scale.samples else None
        is_film = sample in thick.rows.index
        rows.append(
            {
                "growth_id": sample,
                "series": samples[sample].series,
                "reference_growth_id": " ".join(anchors) or None,
                PHI: None if place is None else scale.values_ev[place],
                f"{PHI}_std": None if place is None else total[place],
                f"{PHI}_std_source": None if place is None else "calibration",
                "work_function_own_ev": None if place is None else scale.own_std_ev[place],
                "visits_count": len(mine),
                "film_thickness_nm": thick.rows.thickness_nm[sample] if is_film else 0.0,
                "film_thickness_nm_std": thick.std(sample) if is_film else None,
                "film_thickness_nm_std_source": "covariance" if is_film else None,
                "notes": {**scale.left_out, **unknown}.get(sample, ""),
            }
        )
    return pd.DataFrame(rows, columns=WORK_FUNCTION.column_names[1:])


def _scale_estimate(scale: Scale) -> Estimate:
    count = len(scale.samples)
    return Estimate(
        (PHI,) * count,
        scale.values_ev,
        scale.covariance_ev2,
        "contact potential against a reference under the same tip, whose work function photoelectrons tell; drift of"
        " the tip from the repeated reference",
        "calibration",
        (),
        dict(scale.systematics_ev),
        scale.notes,
    )


def _bare_notes(scale: Scale, known: dict[str, Reference], samples: dict[str, Sample]) -> list[str]:
    """Return how the scale and photoelectrons agree on samples that both have seen and that set no scale."""
    notes = []
    for place, sample in enumerate(scale.samples):
        if sample not in known or scale.own_std_ev[place] == 0.0:
            continue
        theirs = known[sample]
        off = scale.values_ev[place] - theirs.work_function_ev
        shared = {e: s[place] - theirs.shifts_ev.get(e, 0.0) for e, s in scale.systematics_ev.items()}
        std = np.sqrt(scale.covariance_ev2[place, place] + theirs.std_ev**2 + sum(v**2 for v in shared.values()))
        what = "bare substrate" if samples[sample].bare else "film"
        notes.append(
            f"{sample} ({what}): {1e3 * off:+.0f} meV against its own photoelectrons, {abs(off) / std:.1f} sigma."
        )
    return notes


def _series_notes(series: str, found: SeriesCurve) -> list[str]:
    if not found.has_peak:
        return [
            f"{series}: no maximum between the films is claimed (BIC of a band alone less that of a peak: "
            f"{found.peak_delta_bic:.1f})."
        ]
    refused = [m.name for m in found.models if m.weight == 0.0]
    told = [f"{series}: {dipole_note(float(found.values[2]))}"]
    width = float(np.hypot(np.sqrt(found.covariance[0, 0]), found.disagreement[0]))
    if width > UNDECIDED * found.values[0]:
        told.append(f"{series}: the films leave room for more than one maximum; measure films in the widest gap.")
    if refused:
        told.append(f"{series}: chi-square refuses the description(s) {', '.join(refused)}.")
    return told


ROOM = Room(name="work_function", title="Work function", folders=(), check=None, assets=(work_function,))
