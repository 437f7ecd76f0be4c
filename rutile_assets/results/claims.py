"""The paper's claims beside what this lake's films give, and beside the paper's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Films, Outcome
from rutile_assets.provenance.film_asset import Room, across_films
from rutile_assets.results.claims_benchmark import benchmark_figure, benchmark_rows
from rutile_assets.results.claims_own import SENTENCES, OwnNumber, Sentence, own_numbers
from rutile_assets.results.claims_paper import BARE, CLAIMS, Ask, Claim
from rutile_assets.results.claims_tables import (
    AGAINST_ITSELF,
    BY_ARITHMETIC,
    BY_LAKE,
    BY_TEXT,
    CLAIMS_BENCHMARK,
    CLAIMS_TABLE,
    CONTRADICTED,
    FOLLOWS,
    REPRODUCED,
    TEXT,
    UNTOLD,
)
from rutile_assets.results.consistency_evidence import READS, Evidence, evidence, told
from rutile_assets.results.numbers import AGREES, DISAGREES, Judgement, Number, at_most, difference_std, exact, same

NEAR_NM, NEAR_RATIO = 0.3, 0.05  # how far a film's thickness may be from the claim's
VERDICTS = {AGREES: REPRODUCED, DISAGREES: CONTRADICTED}
CHECK = "claims_reproduced"


@dataclass(frozen=True)
class Tested:
    """A claim beside the lake's number.

    Parameters
    ----------
    claim : Claim
        The claim.
    found : Number or None
        The lake's number in the claim's unit.
    verdict, note : str
        What comes of it, and why.
    growth_id, series : str or None
        The film or series of the number.
    is_simulated : bool
        Whether it rests on simulated films.
    """

    claim: Claim
    found: Number | None
    verdict: str
    note: str
    growth_id: str | None
    series: str | None
    is_simulated: bool


@across_films(
    room="claims",
    reads=READS,
    writes=(CLAIMS_TABLE, CLAIMS_BENCHMARK),
    kinds=("python",),
    figure=lambda _, outcome: _figure(outcome),
    warns={CHECK: "No claim that the lake's films can test is contradicted by them."},
)
def claims(films: Films) -> Outcome:
    """Every claim of doi 10.1038/s41467-026-69200-x beside the number that tests it, and Fig. 3 by its sources.

    A number of this lake reproduces a claim within the error granted to it or two sigma, contradicts it beyond; a bound
    within two sigma cannot be told. Statements that the paper's own numbers contradict are worked out anew, those that
    words contradict are marked as a matter of text.
    """
    said = evidence(films)
    tested = [held(said, claim) for claim in CLAIMS]
    rows = [_lake_row(one) for one in tested]
    rows += [_own_row(number) for number in own_numbers()]
    rows += [_text_row(sentence) for sentence in SENTENCES]
    numbered = pd.DataFrame(rows).assign(claim_number=range(1, len(rows) + 1))
    outcome = Outcome({"claims": numbered.reindex(columns=CLAIMS_TABLE.column_names[1:])})
    outcome.tables["claims_benchmark"] = _benchmark(said)
    off = [_sentence(one) for one in tested if one.verdict == CONTRADICTED]
    if off:
        outcome.warnings[CHECK] = off
    counts = numbered.claim_verdict.value_counts()
    outcome.notes.append(", ".join(f"{verdict}: {count}" for verdict, count in counts.items()) + ".")
    return outcome


def held(said: Evidence, claim: Claim) -> Tested:
    """Return a claim beside the number of the lake that tests it.

    Parameters
    ----------
    said : Evidence
        The lake.
    claim : Claim
        The claim.
    """
    owner = _owner(said, claim.ask)
    found, lacking = _found(said, claim)
    growth_id = owner if owner in said.stacks else None
    asks = [ask for ask in (claim.ask, claim.less, claim.over) if ask is not None]
    is_simulated = any(_is_simulated(said, ask) for ask in asks)
    series = None if growth_id else claim.ask.owner
    if found is None:
        return Tested(claim, None, UNTOLD, lacking, growth_id, series, is_simulated)
    judged = _judge(claim, found)
    verdict = VERDICTS.get(judged.verdict, UNTOLD)
    return Tested(claim, found, verdict, judged.note, growth_id, series, is_simulated)


def _judge(claim: Claim, found: Number) -> Judgement:
    stated = exact("stated", claim.stated, claim.unit)
    if claim.test == "equals":
        return same(found, stated, claim.tolerance, blunt=5.0 * claim.tolerance)
    if claim.test == "at most":
        return at_most(found, stated)
    above = at_most(stated, found)
    if claim.upto is None:
        return above
    below = at_most(found, exact("upper end", claim.upto, claim.unit))
    if DISAGREES in (above.verdict, below.verdict):
        return replace(above, verdict=DISAGREES)
    return above if above.verdict != AGREES else below


def _found(said: Evidence, claim: Claim) -> tuple[Number | None, str]:
    """Return the number that tests a claim in the claim's unit, or None and what is missing."""
    number = look_up(said, claim.ask)
    other_ask = claim.less or claim.over
    other = None if other_ask is None else look_up(said, other_ask, _owner(said, claim.ask))
    lacking = [
        _words(ask) for ask, n in ((claim.ask, number), (other_ask, other)) if ask is not None and n is None
    ]  # fmt: skip
    if number is None or lacking:
        return None, f"Missing: {'; '.join(lacking)}."
    if claim.less is not None and other is not None:
        if number.result_id == other.result_id:
            return None, "Missing: a second temperature."
        std = difference_std(number, other)
        number = replace(number, value=number.value - other.value, std=std, shifts={})
    elif claim.over is not None and other is not None:
        if not other.value:
            return None, "The divisor is 0."
        ratio = number.value / other.value
        std = abs(ratio) * float(np.hypot(number.std / number.value, other.std / other.value)) if ratio else number.std
        number = replace(number, value=ratio, std=std, shifts={})
    return number.times(claim.factor, claim.statement, claim.unit), ""


def look_up(said: Evidence, ask: Ask, film: str | None = None) -> Number | None:
    """Return the lake's number that is asked for, in the lake's unit, or None.

    Parameters
    ----------
    said : Evidence
        The lake.
    ask : Ask
        What is asked.
    film : str or None
        The film, where another number has chosen it; None takes the nearest.
    """
    owner = film if film is not None and ask.near_nm is not None else _owner(said, ask)
    if owner is None:
        return None
    numbers = said.numbers
    if ask.where == "warmest":
        warm = numbers.warmest(ask.asset, owner, ask.quantity, ask.quantity)
        return warm[0] if warm else None
    if ask.where == "coldest":
        return numbers.coldest(ask.asset, owner, ask.quantity, ask.quantity)
    found = numbers.find(ask.asset, owner, ask.quantity, ask.quantity, *ask.subjects)
    if found is None and ask.near_nm is not None and ask.subjects == ("",):
        several = numbers.all(ask.asset, owner, ask.quantity, ask.quantity)
        whole = [n for subject, n in several.items() if not subject.startswith("map ")]
        return whole[-1] if whole else None
    return found


def _owner(said: Evidence, ask: Ask) -> str | None:
    """Return the series, or the film of the series whose layer is nearest to the thickness that is asked for."""
    if ask.near_nm is None:
        return ask.owner
    mine = [stack for stack in said.stacks.values() if stack.series == ask.owner]
    having = said.numbers.films_with(ask.asset, ask.quantity)
    off = {}
    for stack in mine:
        thick = said.thickness_nm(stack)
        if thick is not None and abs(thick - ask.near_nm) <= max(NEAR_NM, NEAR_RATIO * ask.near_nm):
            off[stack.growth_id] = (stack.growth_id not in having, abs(thick - ask.near_nm))
    return min(off, key=lambda film: off[film]) if off else None


def _is_simulated(said: Evidence, ask: Ask) -> bool:
    owner = _owner(said, ask)
    if owner in said.stacks:
        return said.stacks[str(owner)].is_simulated
    return any(s.is_simulated for s in said.stacks.values() if s.series == ask.owner)


def _words(ask: Ask) -> str:
    of = ask.owner if ask.near_nm is None else f"a film of {ask.owner} near {ask.near_nm:g} nm"
    return f"{ask.quantity} of {of} ({ask.asset})"


def _sentence(one: Tested) -> str:
    claim = one.claim
    ours = told(one.found) if one.found is not None else ""
    mark = " (simulated)" if one.is_simulated else ""
    return f"{claim.statement} Here{mark}: {ours}, stated {claim.test} {claim.stated:g} {claim.unit}".strip() + "."


def _lake_row(one: Tested) -> dict[str, object]:
    claim, found = one.claim, one.found
    row: dict[str, object] = {
        "claim_kind": BY_LAKE,
        "statement": claim.statement,
        "locator": claim.locator,
        "claim_quantity": claim.ask.quantity,
        "claim_test": claim.test if claim.upto is None else f"from {claim.stated:g} to {claim.upto:g}",
        "stated_reading": claim.stated,
        "granted_reading": claim.tolerance,
        "reading_unit": claim.unit,
        "claim_verdict": one.verdict,
        "growth_id": one.growth_id,
        "series": one.series,
        "is_simulated": one.is_simulated,
        "notes": one.note,
    }
    if found is not None:
        known = np.isfinite(found.std)
        row |= {
            "found_reading": found.value,
            "found_sigma_reading": found.std if known else None,
            "found_in_sigma_pull": (found.value - claim.stated) / found.std if known and found.std > 0 else None,
            "found_result_id": found.result_id,
            "found_entity_id": found.entity_id,
        }
    return row


def _own_row(number: OwnNumber) -> dict[str, object]:
    return {
        "claim_kind": BY_ARITHMETIC,
        "statement": number.statement,
        "locator": number.locator,
        "claim_test": number.test,
        "stated_reading": number.stated,
        "granted_reading": number.tolerance,
        "found_reading": number.follows,
        "reading_unit": number.unit,
        "claim_verdict": FOLLOWS if number.is_kept else AGAINST_ITSELF,
        "is_simulated": False,
        "notes": number.note,
    }


def _text_row(sentence: Sentence) -> dict[str, object]:
    return {
        "claim_kind": BY_TEXT,
        "statement": sentence.statement,
        "locator": sentence.locator,
        "claim_verdict": TEXT,
        "is_simulated": False,
        "notes": sentence.note,
    }


def _benchmark(said: Evidence) -> pd.DataFrame:
    films = [stack for stack in said.stacks.values() if stack.series == BARE]
    values = dict(_work_functions(said, [stack.growth_id for stack in films]))
    ends = (min(values.values()), max(values.values())) if len(values) > 1 else (None, None)
    is_simulated = any(stack.is_simulated for stack in films)
    return benchmark_rows(*ends, is_simulated=is_simulated)[CLAIMS_BENCHMARK.column_names[1:]]


def _work_functions(said: Evidence, films: list[str]) -> Iterator[tuple[str, float]]:
    for film in films:
        found = said.numbers.find("work_function", film, "work_function_kpfm_ev", "work function")
        if found is not None:
            yield film, found.value


def _figure(outcome: Outcome) -> Figure | None:
    return benchmark_figure(outcome.tables["claims_benchmark"])


ROOM = Room(name="claims", title="The paper's claims", folders=(), check=None, assets=(claims,))
