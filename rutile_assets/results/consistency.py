"""Techniques held against each other: 17 flags, film by film and series by series."""

from __future__ import annotations

import pandas as pd

from rutile_assets.provenance.film import Films, Outcome
from rutile_assets.provenance.film_asset import Room, across_films
from rutile_assets.results.consistency_evidence import READS, Evidence, Finding, evidence
from rutile_assets.results.consistency_films import film_findings
from rutile_assets.results.consistency_flags import CONSISTENCY, FLAGS
from rutile_assets.results.consistency_series import series_findings
from rutile_assets.results.numbers import DISAGREES, VERDICTS


@across_films(
    room="consistency",
    reads=READS,
    writes=(CONSISTENCY,),
    kinds=("python",),
    warns={flag.check: flag.rule for flag in FLAGS.values()},
)
def consistency(films: Films) -> Outcome:
    """Rules that numbers of several techniques keep where all of them are right, each with its verdict.

    Agrees: within the rule's tolerance or two sigma. Cannot be told: a number is missing, its error is unknown or too
    large, or a bound stands within two sigma. Errors that numbers of one asset share by name are subtracted with their
    covariance; others are taken as independent, and the row says so.
    """
    said = evidence(films)
    findings = [*film_findings(said), *series_findings(said)]
    rows = [finding.row(is_simulated=_is_simulated(said, finding)) for finding in findings]
    outcome = Outcome({"consistency": pd.DataFrame(rows, columns=CONSISTENCY.column_names[1:])})
    for flag in FLAGS.values():
        mine = [f for f in findings if f.flag == flag.number]
        off = [f.sentence for f in mine if f.judgement.verdict == DISAGREES]
        if off:
            outcome.warnings[flag.check] = off
    counts = {verdict: sum(f.judgement.verdict == verdict for f in findings) for verdict in VERDICTS}
    outcome.notes.append(", ".join(f"{verdict}: {count}" for verdict, count in counts.items()) + ".")
    return outcome


def _is_simulated(said: Evidence, finding: Finding) -> bool:
    if finding.growth_id is not None:
        return said.stacks[finding.growth_id].is_simulated
    return said.is_simulated(finding.series)


ROOM = Room(name="consistency", title="Consistency of techniques", folders=(), check=None, assets=(consistency,))
