"""Compare results with the truth of simulated campaigns: residual, pull, and whether the errors are honest."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake

COVERAGE = (0.60, 0.76)  # of an honest sigma 68 % of the results lie within one
LARGEST_BIAS = 0.2


@dataclass(frozen=True)
class Summary:
    """How one quantity's results lie about the truth.

    Parameters
    ----------
    quantity : str
        Its name.
    count, without_sigma_count : int
        Results with a known truth and a sigma, and those that came without a sigma.
    bias, bias_std : float
        Mean pull and its standard error, in sigma; NaN for fewer than two results.
    width : float
        Standard deviation of the pulls.
    coverage, coverage_low, coverage_high : float
        Part of the results within one sigma of the truth, and its 95 % interval (Wilson).
    verdict : str
        ``ok``; ``open`` where the numbers miss the bar but could be chance; ``fails``; ``no sigma``.
    """

    quantity: str
    count: int
    without_sigma_count: int
    bias: float
    bias_std: float
    width: float
    coverage: float
    coverage_low: float
    coverage_high: float
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as a row to print."""
        return asdict(self)


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
        growth_id (the series, of what spans films), quantity, subject, value, sigma, truth, residual, pull
        (residual / sigma; None without sigma), unit.

    Raises
    ------
    InvalidRecord
        There is no truth in that folder.
    """
    rows = lake.rows(
        "SELECT coalesce(growth_id, series) AS growth_id, technique, quantity, subject, value, sigma, unit FROM results"
        " WHERE is_current ORDER BY growth_id, technique, quantity, subject, result_id"
    )
    return compared(rows, known_truth(truth))


def known_truth(truth: Path) -> dict[tuple[str, str, str], float]:
    """Return (growth_id or series, quantity, subject) -> value.

    Raises
    ------
    InvalidRecord
        There is no truth in that folder.
    """
    file = truth / "truth.json"
    if not file.is_file():
        raise InvalidRecord(f"no {file}", "the folder truth/ of a simulated campaign", "Run rutile simulate first.")
    entries = json.loads(file.read_text(encoding="utf-8"))["quantities"]
    return {(e["growth_id"] or e["series"], e["quantity"], e.get("subject", "")): float(e["value"]) for e in entries}


def compared(rows: Iterable[Mapping[str, Any]], known: Mapping[tuple[str, str, str], float]) -> list[dict[str, Any]]:
    """Return the results that have a known truth, with truth, residual and pull."""
    scored = []
    for row in rows:
        true = known.get((row["growth_id"], row["quantity"], row["subject"]))
        if true is not None:
            residual = row["value"] - true
            pull = residual / row["sigma"] if row["sigma"] else None
            scored.append({**row, "truth": true, "residual": residual, "pull": pull})
    return scored


def summarise(scored: Iterable[Mapping[str, Any]]) -> list[Summary]:
    """Pool the pulls of each quantity, over films and campaigns.

    Parameters
    ----------
    scored : iterable of mapping
        From `score`, of one campaign or of several.

    Returns
    -------
    list of Summary
        In the order of the quantities' names.
    """
    pulls: dict[str, list[float | None]] = defaultdict(list)
    for row in scored:
        pulls[row["quantity"]].append(row["pull"])
    return [_summary(quantity, pulls[quantity]) for quantity in sorted(pulls)]


def _summary(quantity: str, found: Sequence[float | None]) -> Summary:
    pulls = np.array([pull for pull in found if pull is not None])
    count, missing = len(pulls), len(found) - len(pulls)
    nan = float("nan")
    if count == 0:
        return Summary(quantity, 0, missing, nan, nan, nan, nan, nan, nan, "no sigma")
    within = int((np.abs(pulls) <= 1.0).sum())
    interval = binomtest(within, count).proportion_ci(method="wilson")
    width = float(pulls.std(ddof=1)) if count > 1 else nan
    bias, bias_std, coverage = float(pulls.mean()), width / np.sqrt(count), within / count
    low, high = COVERAGE
    good = low <= coverage <= high and abs(bias) <= LARGEST_BIAS
    by_chance = 2.0 * max(bias_std, 1.0 / np.sqrt(count)) if count > 1 else np.inf  # few pulls can lie close by chance
    chance = interval.high >= low and interval.low <= high and abs(bias) - by_chance <= LARGEST_BIAS
    verdict = "ok" if good else "open" if chance else "fails"
    return Summary(
        quantity, count, missing, bias, float(bias_std), width, coverage, interval.low, interval.high, verdict
    )
