"""What the work function's scale and curve are made from: contact potentials, photoelectrons, thicknesses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rutile_assets.physics.peaked_curve import Points
from rutile_assets.physics.tip_sessions import Reference, Scale, Visit, sessions
from rutile_assets.provenance.film import Films
from rutile_assets.results.thickness import Thicknesses

FEWEST_FILMS, FEWEST_POINTS = 4, 5


@dataclass(frozen=True)
class Sample:
    """What else is known of a sample: its series, and the substrate's material where nothing was grown on it."""

    series: str
    bare: str | None


def samples_of(films: Films) -> dict[str, Sample]:
    """Return what growth.yaml says of each sample."""
    growth, layers = films.table("growth"), films.table("growth_layer")
    grown = set(layers.growth_id)
    return {
        row["growth_id"]: Sample(
            str(row["series"]), None if row["growth_id"] in grown else str(row["substrate_material"])
        )
        for row in growth.to_dict("records")
    }


def by_photoelectrons(films: Films) -> dict[str, Reference]:
    """Return the work function of each sample that has one by photoelectrons, its spectra averaged."""
    numbers, effects = films.numbers("ups_fit"), films.systematics("ups_fit")
    if numbers.empty:
        return {}
    found = {}
    for sample, here in numbers[numbers.quantity == "work_function_ev"].groupby("growth_id"):
        variance = here.sigma_statistical.to_numpy(dtype=float) ** 2
        weight = 1.0 / np.maximum(variance, 1e-12)
        weight /= weight.sum()
        mine = effects[effects.result_id.isin(here.result_id)] if len(effects) else effects
        shares = dict(zip(here.result_id, weight, strict=True))
        shifts: dict[str, float] = {}
        for row in mine.to_dict("records"):
            shifts[row["effect"]] = shifts.get(row["effect"], 0.0) + shares[row["result_id"]] * row["shift"]
        value = float(weight @ here.value.to_numpy(dtype=float))
        found[str(sample)] = Reference(str(sample), value, float(np.sqrt(weight**2 @ variance)), shifts)
    return found


def visits_of(films: Films, session_gap_h: float) -> tuple[list[Visit], dict[str, str]]:
    """Return all visits, each with its tip's session, and why some samples have none of use."""
    rows = films.table("kpfm_potential_visit")
    named = rows[rows.tip.notna()]
    left = {
        str(s): "nobody says which tip it was measured with; write tip into settings.yaml beside the maps"
        for s in rows.growth_id[rows.tip.isna()]
        if s not in set(named.growth_id)
    }
    times = pd.to_datetime(named.visit_middle_at)
    hours = np.asarray((times - times.min()).dt.total_seconds() / 3600.0, dtype=np.float64)
    tips = [str(tip) for tip in named.tip]
    where = sessions(tips, hours, session_gap_h)
    visits = [
        Visit(str(row["growth_id"]), session, float(hour), float(row["visit_v_cpd_v"]), float(row["visit_v_cpd_v_std"]))
        for row, session, hour in zip(named.to_dict("records"), where, hours, strict=True)
    ]
    return visits, left


def references_of(
    asked: list[str], known: dict[str, Reference], visits: list[Visit], samples: dict[str, Sample]
) -> list[Reference]:
    """Return the references asked for, or for each session the film of known work function that was seen most often."""
    if asked:
        return [known[sample] for sample in asked if sample in known]
    found: dict[str, Reference] = {}
    for session in dict.fromkeys(visit.session for visit in visits):
        here = [v.sample for v in visits if v.session == session and v.sample in known]
        here = [sample for sample in here if sample in samples and samples[sample].bare is None]
        if here:
            best = max(sorted(set(here)), key=lambda s: (here.count(s), sum(v.sample == s for v in visits)))
            found[best] = known[best]
    return list(found.values())


def points_of(
    series: str, scale: Scale, known: dict[str, Reference], thick: Thicknesses, samples: dict[str, Sample]
) -> tuple[Points | None, dict[str, float], str]:
    """Return the points of a series, the effects that move them all alike [eV], and a note or why there are none."""
    films = [s for s in scale.samples if s in thick.rows.index and thick.rows.series[s] == series]
    if not films:
        return None, {}, "no film has a work function."
    substrate = str(thick.rows.substrate_material[films[0]])
    bare = [s for s in scale.samples if s in samples and samples[s].bare == substrate]
    others = [] if bare else [s for s in known if s in samples and samples[s].bare == substrate]
    count = len(films) + len(bare) + len(others)
    if len(films) < FEWEST_FILMS or count < FEWEST_POINTS:
        needed = f"a curve needs {FEWEST_FILMS}, and {FEWEST_POINTS} points with the bare substrate."
        return None, {}, f"{len(films)} films have a work function; {needed}"
    places = [scale.samples.index(s) for s in (*films, *bare)]
    covariance, values = np.zeros((count, count)), np.zeros(count)
    here = slice(0, len(places))
    values[here] = scale.values_ev[places]
    covariance[here, here] = scale.covariance_ev2[np.ix_(places, places)]
    effects: dict[str, float] = {}
    for effect in sorted(set(scale.systematics_ev).union(*(known[s].shifts_ev for s in others))):
        shift = np.zeros(count)
        if effect in scale.systematics_ev:
            shift[here] = scale.systematics_ev[effect][places]
        shift[len(places) :] = [known[s].shifts_ev.get(effect, 0.0) for s in others]
        effects[effect] = float(shift.mean())
        covariance += np.outer(shift - shift.mean(), shift - shift.mean())
    for turn, sample in enumerate(others, start=len(places)):
        values[turn] = known[sample].work_function_ev
        covariance[turn, turn] += known[sample].std_ev ** 2
    spread = np.zeros((count, count))
    spread[: len(films), : len(films)] = thick.covariance(films)
    thickness = np.zeros(count)
    thickness[: len(films)] = thick.rows.thickness_nm[films].to_numpy(dtype=float)
    told = []
    if not bare:
        source = "its photoelectrons, another instrument than the films'" if others else "nothing: it is extrapolated"
        told.append(f"{series}: the value of {substrate} without a film rests on {source}.")
    nominal = [s for s in films if not thick.rows.is_measured[s]]
    if nominal:
        told.append(f"{series}: nominal thickness of {', '.join(nominal)}.")
    return Points(thickness, values, covariance, spread), effects, " ".join(told)
