"""Where a series changes with thickness: relaxation, second harmonic, mobility, work function; and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import pandas as pd

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.relaxation_onset import RelaxationOnset, relaxation_onset
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import Room, across_films
from rutile_assets.results import conductivity_figures as figures
from rutile_assets.results.conductivity_tables import ONSET, ONSET_ORDERING, ONSET_POINT
from rutile_assets.results.film_transport import SHARED, ConductivityParameters, estimated_row
from rutile_assets.results.thickness import Thicknesses, thicknesses

DIRECTIONS = {"relaxation_001_fraction": "[001]", "relaxation_1m10_fraction": "[1-10]"}
METHOD = (
    "R = 0 up to the onset, then one of five laws, averaged by Akaike's weights; least squares with errors in both"
    " variables"
)
LAW = "law of relaxation"
DRAWS = 40_000
ROOM_K = 290.0
JOINT = (
    "Thickness errors that films share move the events together, dip and peak of the carriers are correlated as fitted;"
    " other errors are taken as independent."
)
# asset -> quantity -> what changes
FROM_ASSETS: dict[str, dict[str, str]] = {
    "shg_trend": {"shg_onset_nm": "second harmonic"},
    "work_function": {"work_function_peak_thickness_nm": "work function peak"},
    "carriers": {"density_dip_thickness_nm": "density dip", "mobility_peak_thickness_nm": "mobility peak"},
}


@dataclass(frozen=True)
class Event:
    """A change at a thickness.

    Parameters
    ----------
    series, name, source : str
        Of the series, what changes, and the asset that says so.
    place_nm, own_nm : float
        Thickness and the part of its sigma that is its own [nm].
    shifts_nm : mapping of str to float
        Named effects with their one-sigma shifts; the effects of `TOGETHER` move events together [nm].
    """

    series: str
    name: str
    source: str
    place_nm: float
    own_nm: float
    shifts_nm: Mapping[str, float] = field(default_factory=dict)

    @property
    def std_nm(self) -> float:
        """Total sigma [nm]."""
        return float(np.sqrt(self.own_nm**2 + sum(v**2 for v in self.shifts_nm.values())))


TOGETHER = ("adsorbate", SHARED)


@across_films(
    room="onsets",
    reads=("growth", "xrr_fit", "rsm_fit", *FROM_ASSETS),
    writes=(ONSET, ONSET_ORDERING, ONSET_POINT),
    parameters=ConductivityParameters,
    kinds=("python", "numpy"),
    figure=figures.onsets,
)
def onset(films: Films) -> Outcome:
    """Onset of relaxation along each direction, the other changes with thickness beside it, and their order.

    Where no law is told the thickest coherent and the thinnest relaxed film stand as its bounds. The order of two
    events is a probability: maps at 4 and 6.5 nm cannot place an onset at 3.5 nm.
    """
    outcome = Outcome()
    chosen: ConductivityParameters = films.parameters
    known = thicknesses(films, chosen.nominal_std_ratio)
    events: list[Event] = []
    rows: list[dict[str, object]] = []
    points = _relaxations(films, known, chosen)
    for (series, direction), here in points.groupby(["series", "direction"]):
        try:
            found = relaxation_onset(
                *(here[c].to_numpy(dtype=float) for c in ("trend_thickness_nm", "trend_thickness_own_nm")),
                *(here[c].to_numpy(dtype=float) for c in ("relaxation_fraction", "relaxation_fraction_std")),
            )
        except FitFailed as fault:
            outcome.notes.append(f"{series}, relaxation along {direction}: {fault}")
            continue
        shifts = _shifts(known, here, found, chosen)
        rows.append(_relaxation_row(str(series), str(direction), found, shifts))
        if found.onset_nm is not None:
            estimate = _estimate(str(direction), found, shifts)
            outcome.results.append(Result(estimate, series=str(series)))
            events.append(_event(str(series), f"relaxation {direction}", "onset", estimate))
    others = list(_others(films))
    rows += [_event_row(event) for event in others]
    rng = np.random.default_rng(films.seed)
    orders = _ordering([*events, *others], _correlations(films), rng)
    outcome.tables["onset"] = pd.DataFrame(rows, columns=ONSET.column_names[1:])
    outcome.tables["onset_ordering"] = pd.DataFrame(orders, columns=ONSET_ORDERING.column_names[1:])
    if len(points):
        outcome.tables["onset_point"] = points
    return outcome


def _relaxations(films: Films, known: Thicknesses, chosen: ConductivityParameters) -> pd.DataFrame:
    """Return the rows of ``onset_point``: the newest relaxation of each film along each direction."""
    numbers = films.numbers("rsm_fit")
    columns = ONSET_POINT.column_names[1:]
    if numbers.empty:
        return pd.DataFrame(columns=columns)
    mine = numbers[numbers.quantity.isin(DIRECTIONS) & numbers.sigma.notna()].sort_values("result_id")
    mine = mine.drop_duplicates(["growth_id", "quantity"], keep="last")
    columns_of = ["series", "thickness_nm", "statistical_std_nm"]
    joined = mine.drop(columns="series").merge(known.rows[columns_of], left_on="growth_id", right_index=True)
    return pd.DataFrame(
        {
            "growth_id": joined.growth_id,
            "series": joined.series,
            "direction": joined.quantity.map(DIRECTIONS),
            "trend_thickness_nm": joined.thickness_nm.astype(float),
            "trend_thickness_own_nm": np.hypot(joined.statistical_std_nm.astype(float), chosen.thickness_own_nm),
            "relaxation_fraction": joined.value.astype(float),
            "relaxation_fraction_std": joined.sigma.astype(float),
            "relaxation_fraction_std_source": "covariance",
        },
        columns=columns,
    ).reset_index(drop=True)


def _shifts(
    known: Thicknesses, here: pd.DataFrame, found: RelaxationOnset, chosen: ConductivityParameters
) -> dict[str, float]:
    """Return the named one-sigma shifts of an onset [nm]."""
    if found.best is None or found.law_nm is None:
        return {}
    moves = {str(e): known.shifts_nm.loc[here.growth_id, e].to_numpy(dtype=float) for e in known.shifts_nm.columns}
    if chosen.thickness_shared_nm > 0:
        moves[SHARED] = np.full(len(here), chosen.thickness_shared_nm)
    still = np.zeros((1, len(here)))
    return {LAW: found.law_nm} | {e: float(found.best.moved(move, still)[0]) for e, move in moves.items()}


def _estimate(direction: str, found: RelaxationOnset, shifts: Mapping[str, float]) -> Estimate:
    assert found.onset_nm is not None
    assert found.statistical_nm is not None
    return Estimate(
        ("relaxation_onset_nm",),
        np.array([found.onset_nm]),
        np.array([[found.statistical_nm]]) ** 2,
        METHOD,
        "covariance",
        (direction,),
        {effect: np.array([shift]) for effect, shift in shifts.items()},
        (_laws(found),),
    )


def _laws(found: RelaxationOnset) -> str:
    if found.onset_nm is None:
        return f"No onset told; R of the thickest film is below {found.largest:.3g} (95 %)."
    return "Laws by weight: " + ", ".join(f"{name} {weight:.2f}" for name, weight in found.laws) + "."


def _relaxation_row(
    series: str, direction: str, found: RelaxationOnset, shifts: Mapping[str, float]
) -> dict[str, object]:
    std = None
    if found.onset_nm is not None and found.statistical_nm is not None:
        std = float(np.sqrt(found.statistical_nm**2 + sum(v**2 for v in shifts.values())))
    return {
        "series": series,
        "event": f"relaxation {direction}",
        **estimated_row("event_thickness_nm", found.onset_nm, std),
        "event_after_nm": found.after_nm,
        "event_before_nm": found.before_nm,
        "event_verdict": found.verdict,
        "event_source": "rsm_fit",
        "notes": _laws(found),
    }


def _event(series: str, name: str, source: str, estimate: Estimate) -> Event:
    shifts = {effect: float(shift[0]) for effect, shift in estimate.systematics.items()}
    return Event(series, name, source, float(estimate.values[0]), float(estimate.statistical_std[0]), shifts)


def _others(films: Films) -> Iterator[Event]:
    """Yield the changes that other assets tell of a series; of transport those at the highest temperature."""
    for asset, quantities in FROM_ASSETS.items():
        numbers, effects = films.numbers(asset), films.systematics(asset)
        if numbers.empty:
            continue
        mine = numbers[numbers.quantity.isin(quantities) & numbers.series.notna() & numbers.sigma.notna()]
        warm = mine.assign(kelvin=mine.temperature_k.astype(float).fillna(0.0)).sort_values(["kelvin", "result_id"])
        labels = warm.subject.where(warm.temperature_k.isna(), "")
        for row in (
            warm.assign(label=labels).drop_duplicates(["series", "quantity", "label"], keep="last").to_dict("records")
        ):
            shifts = effects[effects.result_id == row["result_id"]] if len(effects) else effects
            name = quantities[str(row["quantity"])] + (f" ({row['label']})" if row["label"] else "")
            own = float(row["sigma_statistical"] if pd.notna(row["sigma_statistical"]) else row["sigma"])
            named = {str(s["effect"]): float(s["shift"]) for s in shifts.to_dict("records")}
            yield Event(str(row["series"]), name, asset, float(row["value"]), own, named)


def _event_row(event: Event) -> dict[str, object]:
    return {
        "series": event.series,
        "event": event.name,
        **estimated_row("event_thickness_nm", event.place_nm, event.std_nm),
        "event_after_nm": None,
        "event_before_nm": None,
        "event_verdict": "told",
        "event_source": event.source,
        "notes": "",
    }


def _correlations(films: Films) -> dict[str, float]:
    """Return series -> correlation of the places of dip and peak at the highest temperature."""
    rows = films.table("carriers").sort_values("temperature_k").dropna(subset="dip_peak_correlation_ratio")
    return {str(row["series"]): float(row["dip_peak_correlation_ratio"]) for row in rows.to_dict("records")}


def _ordering(
    events: list[Event], correlations: Mapping[str, float], rng: np.random.Generator
) -> list[dict[str, object]]:
    """Return the rows of ``onset_ordering``: every ordered pair of events of a series."""
    common = {effect: rng.normal(size=DRAWS) for effect in TOGETHER}
    own = {(event.series, event.name): rng.normal(size=DRAWS) for event in events}
    for series, r in correlations.items():
        dip, peak = ((series, name) for name in FROM_ASSETS["carriers"].values())
        if dip in own and peak in own:
            own[peak] = r * own[dip] + np.sqrt(1.0 - r**2) * own[peak]
    drawn = []
    for event in events:
        place = event.place_nm + event.own_nm * own[(event.series, event.name)]
        for effect, shift in event.shifts_nm.items():
            place = place + shift * (common[effect] if effect in common else rng.normal(size=DRAWS))
        drawn.append(place)
    rows = []
    for i, j in permutations(range(len(events)), 2):
        if events[i].series != events[j].series:
            continue
        distance = drawn[j] - drawn[i]
        rows.append(
            {
                "series": events[i].series,
                "first_event": events[i].name,
                "second_event": events[j].name,
                "ordering_probability": float((distance > 0).mean()),
                **estimated_row("ordering_distance_nm", events[j].place_nm - events[i].place_nm, float(distance.std())),
                "notes": JOINT,
            }
        )
    return rows


ROOM = Room(name="onsets", title="Onsets against thickness", folders=(), check=None, assets=(onset,))
