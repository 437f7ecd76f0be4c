"""Checks that warn: an asset's own sentences stand in the UI and stop nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pandas as pd

from rutile_assets.ops.catalog import HouseResource, dagster_asset
from rutile_assets.provenance.film import Films, Outcome
from rutile_assets.results.consistency import consistency
from rutile_assets.results.consistency_flags import CONSISTENCY, FLAGS

BROKEN = FLAGS[6].check


def _warning(_: Films) -> Outcome:
    """Return no rows and one warning."""
    empty = pd.DataFrame(columns=CONSISTENCY.column_names[1:])
    return Outcome({"consistency": empty}, warnings={BROKEN: ["F-4: one thing is not the other."]})


def test_a_broken_rule_is_a_warning_in_the_ui_and_the_asset_is_made(tmp_path: Path) -> None:
    made = dagster_asset(replace(consistency, compute=_warning, reads=()))
    checks = {spec.name: spec for spec in made.check_specs}
    assert {flag.check for flag in FLAGS.values()} <= set(checks)
    assert not any(checks[flag.check].blocking for flag in FLAGS.values())
    assert checks["rows_as_declared"].blocking
    run = dg.materialize([made], resources={"house": HouseResource(home=str(tmp_path / "home"))})
    assert run.success
    told = {e.check_name: e for e in run.get_asset_check_evaluations()}
    assert told[BROKEN].severity == dg.AssetCheckSeverity.WARN
    assert not told[BROKEN].passed
    assert told[BROKEN].description == "F-4: one thing is not the other."
    assert all(told[flag.check].passed for flag in FLAGS.values() if flag.check != BROKEN)
    assert run.asset_materializations_for_node("consistency")
