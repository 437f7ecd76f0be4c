"""Claims: each verdict flips with the lake's number; the paper's own points give the stated verdicts; Fig. 3's rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from flag_lake import BARE, CAPPED, FlagLake

from rutile_assets.results.claims import CHECK, claims
from rutile_assets.results.claims_benchmark import UNSOURCED, benchmark_figure
from rutile_assets.results.claims_own import SENTENCES, OwnNumber, own_numbers
from rutile_assets.results.claims_paper import CLAIMS, Ask, Claim
from rutile_assets.results.claims_tables import (
    AGAINST_ITSELF,
    CLAIMS_BENCHMARK,
    CLAIMS_TABLE,
    CONTRADICTED,
    FOLLOWS,
    REPRODUCED,
    TEXT,
    UNTOLD,
)
from rutile_assets.results.published import PUBLISHED
from rutile_assets.results.published_transport import transport_arithmetic

IDS = [claim.statement[:60] for claim in CLAIMS]


def _rows(lake: FlagLake) -> pd.DataFrame:
    outcome = claims.compute(lake.films())
    CLAIMS_BENCHMARK.frame(outcome.tables["claims_benchmark"].assign(entity_id=1))
    rows = CLAIMS_TABLE.frame(outcome.tables["claims"].assign(entity_id=1))
    assert len(outcome.warnings.get(CHECK, [])) == (rows.claim_verdict == CONTRADICTED).sum()
    return rows.set_index("statement")


@cache
def _empty() -> pd.DataFrame:
    return _rows(FlagLake())


def _put(lake: FlagLake, ask: Ask, value: float, sigma: float | None) -> int:
    owner = ask.owner if ask.near_nm is None else lake.film_near(ask.owner, ask.near_nm)
    kelvin = {"": None, "warmest": 300.0, "coldest": 2.0}[ask.where]
    subject = f"{kelvin:g} K" if kelvin else ask.subjects[0]
    return lake.number(ask.asset, owner, ask.quantity, value, sigma, subject, kelvin)


def _lake(claim: Claim, value: float, sigma: float | None, *, origin: str = "simulated") -> tuple[FlagLake, int]:
    """Return a lake whose number is a value in the claim's unit."""
    lake = FlagLake(origin=origin)
    offset = 0.0 if claim.less is None else claim.ask.near_nm or 7.0
    if claim.less is not None:
        _put(lake, claim.less, offset, sigma and 1e-3 * sigma)
    if claim.over is not None:
        _put(lake, claim.over, 10.0, sigma and 1e-3 * sigma)
        value, sigma = 10.0 * value, sigma and 10.0 * sigma
    return lake, _put(lake, claim.ask, value / claim.factor + offset, sigma and sigma / claim.factor)


def _step(claim: Claim) -> float:
    return max(claim.tolerance, 0.05 * abs(claim.stated), 0.01)


def _values(claim: Claim) -> tuple[float, float]:
    """Return a value that keeps a claim and one that breaks it."""
    off = 4.0 * _step(claim)
    if claim.test == "equals":
        return claim.stated + 0.5 * claim.tolerance, claim.stated + off
    return (
        (claim.stated + off, claim.stated - off)
        if claim.test == "at least"
        else (claim.stated - off, claim.stated + off)
    )


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_a_verdict_flips_when_the_lakes_number_moves_and_names_its_result(claim: Claim) -> None:
    for value, verdict in zip(_values(claim), (REPRODUCED, CONTRADICTED), strict=True):
        lake, result_id = _lake(claim, value, 0.2 * _step(claim))
        row = _rows(lake).loc[claim.statement]
        assert row.claim_verdict == verdict, row.notes
        assert row.found_reading == pytest.approx(value)
        assert row.found_result_id == result_id
        assert row.found_entity_id > 0
        assert row.is_simulated
        assert pd.notna(row.growth_id) != pd.notna(row.series)


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_a_claim_cannot_be_told_without_its_number_or_with_an_unknown_error(claim: Claim) -> None:
    assert _empty().loc[claim.statement].claim_verdict == UNTOLD
    assert _empty().loc[claim.statement].notes.startswith("Missing: ")
    blurred, _ = _lake(claim, _values(claim)[1], None)
    row = _rows(blurred).loc[claim.statement]
    assert row.claim_verdict == UNTOLD
    assert pd.isna(row.found_sigma_reading)


def test_beyond_the_upper_end_of_a_range_a_claim_is_contradicted() -> None:
    claim = next(c for c in CLAIMS if c.upto is not None)
    assert claim.upto == 6.5
    assert _rows(_lake(claim, 7.5, 0.1)[0]).loc[claim.statement].claim_verdict == CONTRADICTED
    assert _rows(_lake(claim, 6.4, 0.1)[0]).loc[claim.statement].claim_verdict == UNTOLD


def test_measured_films_are_not_called_simulated() -> None:
    rows = _rows(_lake(CLAIMS[0], 155.0, 5.0, origin="measured")[0])
    assert not rows.is_simulated.any()


def _own() -> dict[str, OwnNumber]:
    return {number.statement: number for number in own_numbers()}


def test_the_papers_points_give_the_stated_verdicts() -> None:
    rows = _empty()
    told = rows[rows.claim_kind == "arithmetic"]
    against = {
        "The component exceeds 1 eV over a band that saturates, as the text describes it.": 0.919,
        "t_i1 = 1.59 nm.": 2.147,
        "The 2.1 nm film represents bulk and interface.": 2.1,
        "The 2.1 nm film lies on the fit that it completes.": 1.809,
        "sigma_i1 is much less than sigma_b.": 0.259,
        "sigma_i1 + sigma_i2 is much less than sigma_b.": 0.704,
        "t_i1 + t_i2 = 0.71 nm.": 1.095,
        "Bulk conductivity of the same RuO2, under a cap and without.": 0.737,
        "The mobility's peak at 1.9 nm aligns with the interfaces' thickness under a cap.": 0.71,
        "0.71 nm is roughly two unit cells.": 1.12,
        "The misfit along [1-10] is +2.3 %.": 3.03,
        "Thickness control of metallic films varies the work function by less than 0.5 eV.": 1.0,
    }
    for statement, follows in against.items():
        assert told.loc[statement].claim_verdict == AGAINST_ITSELF
        assert told.loc[statement].found_reading == pytest.approx(follows, abs=0.006)
    kept = {
        "The modulation is 1.15 eV.": 1.15,
        "The polarization-induced component exceeds 1 eV over a straight band.": 1.107,
        "The line's slope is 15,875 S/cm.": 15875.0,
        "sigma_b is of the order of magnitude of bulk RuO2's.": 0.559,
        "The misfit along [001] is -4.7 %.": -4.777,
    }
    for statement, follows in kept.items():
        assert told.loc[statement].claim_verdict == FOLLOWS
        assert told.loc[statement].found_reading == pytest.approx(follows, rel=1e-3)
    assert set(told.claim_verdict) == {AGAINST_ITSELF, FOLLOWS}
    assert len(told) == len(against) + len(kept) + 1  # and the trilayer's formula
    formula = told[told.index.str.startswith("The trilayer's")].iloc[0]
    assert formula.claim_verdict == AGAINST_ITSELF
    assert formula.found_reading == pytest.approx(2.1 + 0.71)


def test_the_papers_verdicts_hang_on_its_numbers_and_not_on_what_is_written_here() -> None:
    higher = tuple(replace(p, work_function_ev=5.6) if p.thickness_nm == 3.5 else p for p in PUBLISHED)
    moved = {n.statement: n for n in own_numbers(higher)}
    bent = "The component exceeds 1 eV over a band that saturates, as the text describes it."
    assert moved[bent].is_kept
    assert not _own()[bent].is_kept
    assert not moved["The modulation is 1.15 eV."].is_kept
    other = replace(transport_arithmetic(), interface_thickness_nm=1.6, interface_ratio=0.01)
    moved = {n.statement: n for n in own_numbers(transport=other)}
    for statement in (
        "t_i1 = 1.59 nm.",
        "sigma_i1 is much less than sigma_b.",
        "The 2.1 nm film represents bulk and interface.",
    ):
        assert moved[statement].is_kept
        assert not _own()[statement].is_kept


def test_what_words_contradict_is_a_matter_of_text_with_its_place() -> None:
    rows = _empty()
    text = rows[rows.claim_kind == "text"]
    assert len(text) == len(SENTENCES)
    assert (text.claim_verdict == TEXT).all()
    assert text.locator.str.len().min() > 5
    words = " ".join([*text.index, *text.notes])
    for what in ("2nd harmonic", "opposite directions", "Fig. 4d", "termination", "TiO2"):
        assert what in words


def test_the_benchmark_says_of_each_row_what_it_rests_on_and_hatches_what_is_unsourced() -> None:
    lake = FlagLake()
    for near, value in ((1.5, 4.3), (3.5, 5.3)):
        lake.number("work_function", lake.film_near(BARE, near), "work_function_kpfm_ev", value, 0.05)
    rows = claims.compute(lake.films()).tables["claims_benchmark"]
    ours = rows[rows.benchmark_status == "this lake"].iloc[0]
    assert ours.work_function_range_ev == pytest.approx(1.0)
    assert ours.is_simulated
    figure = benchmark_figure(rows)
    bars = figure.axes[0].patches
    assert len(bars) == len(rows)
    for bar, status in zip(bars, rows.benchmark_status, strict=True):
        assert (bar.get_hatch() is not None) == (status == UNSOURCED)
    assert figure.axes[0].get_yticklabels()[-1].get_text().endswith("(simulated)")
    sourced = rows[rows.benchmark_status.isin(["verified", "abstract"])]
    assert sourced.reference.str.len().min() > 3
    assert "this lake" not in set(claims.compute(FlagLake().films()).tables["claims_benchmark"].benchmark_status)


def test_the_nearest_film_is_asked_and_none_that_is_far() -> None:
    claim = next(c for c in CLAIMS if c.ask.near_nm == 17.2)
    lake = FlagLake()
    lake.number(claim.ask.asset, lake.film_near(BARE, 11.0), claim.ask.quantity, claim.stated, 0.01)
    assert _rows(lake).loc[claim.statement].claim_verdict == UNTOLD
    assert CAPPED in {c.ask.owner for c in CLAIMS}
