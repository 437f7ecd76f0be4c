"""The page of verifications: the newest quantity by quantity, what failed in it, and those before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.tolerance import FAILURES, VERDICTS
from rutile_assets.results.passport.render import put, rendered
from rutile_assets.results.passport.write import copy_assets

PAGE = "verify.html"
MOST_BEFORE = 60  # verifications that are listed
_ALL = """
    SELECT activity.activity_id, activity.parameters, activity.snapshot, run.trigger, run.environment_id,
        verification.verified_at, verification.verification_verdict AS verdict, count(*) AS numbers
    FROM lake.verification AS verification
    INNER JOIN lake.activity AS activity USING (activity_id)
    INNER JOIN lake.run AS run USING (run_id)
    WHERE verification.result_id IS NOT NULL
    GROUP BY ALL ORDER BY activity.activity_id DESC
"""
_QUANTITIES = """
    SELECT asset, quantity, any_value(tolerance) AS tolerance, count(*) AS numbers,
        count(*) FILTER (verification_verdict = 'identical') AS identical,
        list(DISTINCT verification_verdict ORDER BY verification_verdict) AS verdicts,
        max(abs(difference) / nullif(sigma, 0)) AS largest_in_sigma
    FROM lake.verification WHERE activity_id = ? AND result_id IS NOT NULL
    GROUP BY asset, quantity ORDER BY asset, quantity
"""
_FAILED = """
    SELECT growth_id, series, asset, quantity, subject, verification_verdict AS verdict, reason FROM lake.verification
    WHERE activity_id = ? AND verification_verdict IN (SELECT unnest(?::VARCHAR[]))
    ORDER BY growth_id, asset, verification_id
"""
_ROWS = """
    SELECT verification_verdict AS verdict, count(*) AS n FROM lake.verification
    WHERE activity_id = ? AND result_id IS NULL GROUP BY ALL
"""


def write_verification(lake: Lake, home: Home) -> Path:
    """Write reports/verify.html from the table ``verification`` and return where it stands."""
    copy_assets(home)
    before = _verifications(lake)
    path = home.reports / PAGE
    values: dict[str, Any] = {"root": "", "before": before[1:], "newest": None, "snapshot": lake.snapshot()}
    if before:
        newest = before[0]
        values |= {
            "newest": newest,
            "quantities": lake.rows(_QUANTITIES, [newest["activity_id"]]),
            "failed": lake.rows(_FAILED, [newest["activity_id"], list(FAILURES)]),
            "rows": _ordered({row["verdict"]: row["n"] for row in lake.rows(_ROWS, [newest["activity_id"]])}),
        }
    put(path, rendered("verify.html", **values))
    return path


def _verifications(lake: Lake) -> list[dict[str, Any]]:
    """Return the verifications, newest first, each with its verdicts counted and what was asked for."""
    found: dict[int, dict[str, Any]] = {}
    for row in lake.rows(_ALL):
        one = found.setdefault(row["activity_id"], {**row, "asked": json.loads(row["parameters"]), "verdicts": {}})
        one["verdicts"][row["verdict"]] = row["numbers"]
    return [{**one, "verdicts": _ordered(one["verdicts"])} for one in list(found.values())[:MOST_BEFORE]]


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in VERDICTS if name in counts}
