"""Compare results with the truth of a simulated campaign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake


def score(lake: Lake, truth: Path) -> list[dict[str, Any]]:
    """Return one row for each current result that has a known truth.

    Parameters
    ----------
    lake : Lake
        The results.
    truth : Path
        The folder that `rutile simulate` wrote apart from the inbox.

    Returns
    -------
    list of dict
        growth_id, quantity, subject, value, sigma, truth, pull ((value - truth) / sigma; None without sigma), unit.

    Raises
    ------
    InvalidRecord
        There is no truth in that folder.
    """
    file = truth / "truth.json"
    if not file.is_file():
        raise InvalidRecord(f"no {file}", "the folder truth/ of a simulated campaign", "Run rutile simulate first.")
    known = {
        (entry["growth_id"], entry["quantity"], entry.get("subject", "")): float(entry["value"])
        for entry in json.loads(file.read_text(encoding="utf-8"))["quantities"]
    }
    rows = lake.rows(
        "SELECT growth_id, quantity, subject, value, sigma, unit FROM results WHERE is_current"
        " ORDER BY growth_id, technique, quantity, subject, result_id"
    )
    scored = []
    for row in rows:
        true = known.get((row["growth_id"], row["quantity"], row["subject"]))
        if true is not None:
            pull = (row["value"] - true) / row["sigma"] if row["sigma"] else None
            scored.append({**row, "truth": true, "pull": pull})
    return scored
