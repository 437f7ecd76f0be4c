"""Flags that are judged series by series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.results.conductivity_tables import BULK_S_PER_CM
from rutile_assets.results.consistency_evidence import Evidence, Finding
from rutile_assets.results.numbers import (
    AGREES,
    DISAGREES,
    INDEPENDENT,
    SIGMAS,
    UNTOLD,
    Judgement,
    Number,
    at_most,
    difference_std,
    exact,
    missing,
    number_or_nan,
    same,
)

ROOM_K = 290.0
BLUNT_NM = 1.0  # a difference of thicknesses with a larger sigma orders nothing
THICK_NM = 4.0  # films above tell the three-dimensional density
DENSITY_SHARE = 0.2

Judged = Iterator[tuple[int, str, Judgement]]


def series_findings(said: Evidence) -> Iterator[Finding]:
    """Yield the findings of every series with a foreign layer."""
    for series in said.series:
        for rules in RULES:
            for flag, comparison, judgement in rules(said, series):
                yield Finding(flag, series, None, series, comparison, judgement)
        yield from _left_out(said, series)


def _order(said: Evidence, series: str) -> Judged:
    """Flag 4: the thicknesses at which a series changes, each against the onset of relaxation along [001]."""
    find, rows = said.numbers.find, said.table("onset")
    onset = find("onset", series, "relaxation_onset_nm", "onset of relaxation along [001]", "[001]")
    mine = rows[(rows.series == series) & (rows.event == "relaxation [001]")].to_dict("records")
    mobility = said.numbers.warmest("carriers", series, "mobility_peak_thickness_nm", "peak of the mobility")
    phi = find("work_function", series, "work_function_peak_thickness_nm", "peak of the work function")
    harmonics = said.numbers.all("shg_trend", series, "shg_onset_nm", "change of the second harmonic")
    others: list[tuple[str, Number | None]] = [("work function", phi), ("mobility", mobility[0] if mobility else None)]
    others += [(f"second harmonic, {subject}", n) for subject, n in harmonics.items()] or [("second harmonic", None)]
    for what, number in others:
        if number is not None and onset is None and mine and pd.notna(mine[0]["event_after_nm"]):
            yield 4, f"{what} and relaxation", _within(number, mine[0])
            continue
        lacking = missing((number, what), (onset, "onset of relaxation along [001]"))
        if lacking is not None or number is None or onset is None:
            yield 4, f"{what} and relaxation", lacking or Judgement(number, onset, UNTOLD)
        else:
            yield 4, f"{what} and relaxation", same(number, onset, 0.0, BLUNT_NM)
    if phi is not None and mobility is not None:
        yield 4, "work function and mobility", same(phi, mobility[0], 0.0, BLUNT_NM)


def _within(number: Number, bounds: dict[Any, Any]) -> Judgement:
    """Judge a thickness against the thickest coherent and the thinnest relaxed film, where no onset is told."""
    after, last = float(bounds["event_after_nm"]), number_or_nan(bounds["event_before_nm"])
    before = last if np.isfinite(last) else float("inf")
    note = f"No onset is told; relaxation begins after {after:.2f} nm and before {before:.2f} nm."
    edge = exact("border of relaxation", after if number.value < after else min(before, 1e6), "nm")
    outside = max(after - number.value, number.value - before)
    if not np.isfinite(number.std) or abs(outside) < SIGMAS * number.std:
        return Judgement(number, edge, UNTOLD, f"{note} A border stands within 2 sigma.")
    return Judgement(number, edge, AGREES if outside < 0.0 else DISAGREES, note)


def _density(said: Evidence, series: str) -> Judged:
    """Flag 5: density of thick films times their mobility against the slope of the conductance."""
    bulk = said.numbers.warmest("conductivity", series, "bulk_conductivity_s_per_cm", "sigma_b")
    density = said.numbers.warmest("carriers", series, "carrier_density_per_cm3", "carrier density")
    points = said.table("carriers_point")
    near = points[
        (points.series == series) & (points.trend_thickness_nm > THICK_NM) & points.mobility_cm2_per_vs.notna()
    ]
    if density is not None and len(near):
        near = near[(near.temperature_k / density[1] - 1.0).abs() < 0.05]
    mobility = _mean(near.mobility_cm2_per_vs, near.mobility_cm2_per_vs_std) if len(near) else None
    lacking = missing(
        (density[0] if density else None, "carrier density of thick films"),
        (bulk[0] if bulk else None, "sigma_b"),
        (mobility, f"mobility of films above {THICK_NM:g} nm"),
    )
    if lacking is not None or density is None or bulk is None or mobility is None:
        left = None if density is None else density[0]
        yield 5, "", replace(lacking or Judgement(None, None, UNTOLD), left=left, right=None)
        return
    n, e = density[0], ELEMENTARY_CHARGE_C.value
    value = e * n.value * mobility.value
    std = value * float(np.hypot(n.std / n.value, mobility.std / mobility.value))
    left = Number("e n mu of thick films", value, std, "S/cm", n.result_id, n.entity_id)
    tolerance = DENSITY_SHARE * bulk[0].value
    note = f"n and mu taken as independent. A mobility of {mobility.value:.3g} cm2/Vs is the mean of {len(near)} films."
    yield 5, bulk[2], same(left, bulk[0], tolerance, 5.0 * tolerance, note)


def _mean(values: pd.Series[float], stds: pd.Series[float]) -> Number:
    """Return the mean of films, its error by their scatter or their errors, whichever is larger."""
    mean = float(values.mean())
    scatter = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    own = float(np.sqrt((stds.astype(float) ** 2).mean()))
    return Number("mean", mean, max(scatter, own) / float(np.sqrt(len(values))))


def _channels(said: Evidence, series: str) -> Judged:
    """Flag 7: both channels' conductivities in order, and the interface thinner than the films of the line."""
    warmest = said.numbers.warmest
    bulk = warmest("conductivity", series, "bulk_conductivity_s_per_cm", "sigma_b")
    inner = warmest("conductivity", series, "interface_conductivity_s_per_cm", "sigma_i")
    thick = warmest("conductivity", series, "interface_thickness_nm", "t_i")
    if bulk is None:
        for what in ("sigma_b and bulk", "sigma_i and sigma_b", "t_i and thinnest film"):
            yield 7, what, Judgement(None, None, UNTOLD, "Missing: a fit of the conductance.", is_compared=False)
        return
    literature = exact("bulk RuO2 at 300 K", BULK_S_PER_CM, "S/cm")
    if bulk[1] > ROOM_K:
        yield 7, "sigma_b and bulk", at_most(bulk[0], literature)
    else:
        note = f"Missing: sigma_b at room temperature (the warmest is {bulk[1]:.4g} K)."
        yield 7, "sigma_b and bulk", Judgement(bulk[0], literature, UNTOLD, note, is_compared=False)
    kinkless = "sigma_i: the line measures sigma_b and x0 alone, no kink is told"
    lacking = missing((inner[0] if inner else None, kinkless), (bulk[0], "sigma_b"))
    judged = lacking if lacking is not None or inner is None else at_most(inner[0], bulk[0], INDEPENDENT)
    yield 7, "sigma_i and sigma_b", judged or Judgement(None, bulk[0], UNTOLD)
    rows = said.table("conductivity")
    mine = rows[(rows.series == series)].sort_values("temperature_k")
    thinnest = exact("thinnest film of the fit", float(mine.thinnest_nm.iloc[-1]), "nm") if len(mine) else None
    lacking = missing((thick[0] if thick else None, kinkless.replace("sigma_i", "t_i", 1)), (thinnest, "films"))
    if lacking is not None or thick is None or thinnest is None:
        yield 7, "t_i and thinnest film", lacking or Judgement(None, thinnest, UNTOLD)
    else:
        note = "Films thinner than t_i are interface throughout: the line is not theirs."
        yield 7, "t_i and thinnest film", at_most(thick[0], thinnest, note)


def _left_out(said: Evidence, series: str) -> Iterator[Finding]:
    """Flag 7: each film that is not on the line against what the others foretell."""
    points = said.table("conductivity_point")
    here = points[points.series == series]
    if here.empty:
        return
    top = here.temperature_k.max()
    warm = here[(here.temperature_k / top - 1.0).abs() < 0.05]
    for row in warm[~warm.is_on_line.astype(bool)].to_dict("records"):
        seen = Number("conductance of the film", row["sigma_2d_s"], number_or_nan(row["sigma_2d_s_std"]), "S")
        foretold = None
        if pd.notna(row["foretold_2d_s"]):
            foretold = Number(
                "foretold by the others", row["foretold_2d_s"], number_or_nan(row["foretold_2d_s_std"]), "S"
            )
        lacking = missing((foretold, "a fit without this film"), (seen, "conductance"))
        judged = lacking if lacking is not None or foretold is None else same(foretold, seen)
        film = str(row["growth_id"])
        yield Finding(7, film, film, series, "film off the line", judged or Judgement(foretold, seen, UNTOLD))


def _capped(said: Evidence, series: str) -> Judged:
    """Judge flags 8 and 16: what a cap should leave as it is, and where the mobility of capped films peaks."""
    capped = said.capped(series)
    warmest = said.numbers.warmest
    bare = warmest("conductivity", series, "bulk_conductivity_s_per_cm", f"sigma_b of {series}")
    if capped is not None:
        over = warmest("conductivity", capped, "bulk_conductivity_s_per_cm", f"sigma_b of {capped}")
        lacking = missing(
            (over[0] if over else None, "sigma_b under a cap"), (bare[0] if bare else None, "sigma_b bare")
        )
        if lacking is not None or over is None or bare is None:
            yield 8, "", lacking or Judgement(None, None, UNTOLD)
        elif abs(over[1] / bare[1] - 1.0) > 0.05:
            note = f"Taken at {over[1]:.4g} and {bare[1]:.4g} K."
            yield 8, "", Judgement(over[0], bare[0], UNTOLD, note, is_compared=False)
        else:
            ratio = over[0].value / bare[0].value
            yield 8, over[2], same(over[0], bare[0], note=f"Ratio {ratio:.3f}.", blunt=0.3 * abs(bare[0].value))
    elif not _is_capped(series):
        yield 8, "", Judgement(bare[0] if bare else None, None, UNTOLD, "Missing: capped films.", is_compared=False)
    if not _is_capped(series):
        return
    peak = warmest("carriers", series, "mobility_peak_thickness_nm", "peak of the mobility")
    intercept = warmest("conductivity", series, "line_intercept_nm", "intercept x0")
    lacking = missing(
        (peak[0] if peak else None, "peak of the mobility"), (intercept[0] if intercept else None, "intercept x0")
    )
    if lacking is not None or peak is None or intercept is None:
        yield 16, "", lacking or Judgement(None, None, UNTOLD)
        return
    std = difference_std(peak[0], intercept[0])
    yield 16, peak[2], same(peak[0], intercept[0], 0.0, BLUNT_NM, f"One sigma of the difference {std:.2g} nm.")


def _is_capped(series: str) -> bool:
    """Tell whether the uppermost layer is of the substrate's material."""
    return series.count("/") > 1 and series.partition("/")[0] == series.rpartition("/")[2]


RULES: tuple[Callable[[Evidence, str], Judged], ...] = (_order, _density, _channels, _capped)
