"""What was asked of Dagster before: films that a run has in hand, and work that failed and waits or is given up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.execution.backfill import BulkActionStatus

from rutile_assets.formats import FORMATS
from rutile_assets.ops.house import House
from rutile_assets.provenance.materialize import reader_code
from rutile_assets.rooms import all_assets

WORK_TAG = "rutile/work"
CANNOT_TAG = "rutile/cannot"
RETRY_AFTER_S = (60.0, 300.0)  # of the first and the second failure; the third ends it until something changes
IN_HAND = [
    DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]  # fmt: skip
MOST_RUNS = 20
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def films_in_hand(instance: dg.DagsterInstance, order: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the films that runs which have not ended will touch, and the names of those runs' jobs.

    Parameters
    ----------
    instance : DagsterInstance
        Of this home.
    order : sequence of str
        Dagster's order of all films.
    """
    place = {film: i for i, film in enumerate(order)}
    films: set[str] = set()
    jobs: set[str] = set()
    for record in instance.get_run_records(RunsFilter(statuses=IN_HAND)):
        run = record.dagster_run
        jobs.add(run.job_name)
        if "dagster/partition" in run.tags:
            films.add(run.tags["dagster/partition"])
        elif _RANGE[0] in run.tags:
            first, last = (place.get(run.tags[tag], 0) for tag in _RANGE)
            films.update(order[first : last + 1])
    return films, jobs


def has_backfill(instance: dg.DagsterInstance) -> bool:
    """Tell whether a backfill is still handing out runs."""
    return bool(instance.get_backfills(status=BulkActionStatus.REQUESTED, limit=1))


def work_of(house: House, growth_ids: Sequence[str]) -> str:
    """Return a digest of all that results of these films (none named: of what spans films) are made from.

    Code, settings and files: what failed is not asked for again before one of these changes.
    """
    if growth_ids:
        inputs = house.lake.rows(
            "SELECT growth_id, original_path, data_version FROM current_raw_file"
            " WHERE growth_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL",
            [list(growth_ids)],
        )
    else:
        inputs = house.lake.rows(
            "SELECT max(entity_id) AS newest FROM lake.entity WHERE kind = 'asset' AND growth_id IS NOT NULL"
        )
    text = json.dumps([_code(), house.home.settings, list(growth_ids), inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Attempts:
    """What runs on the same inputs came to.

    Parameters
    ----------
    is_in_hand, was_cancelled : bool
        One has not ended; a person cancelled one.
    failed_at : tuple of float
        When those ended that failed and may succeed if tried again [s since 1970].
    cannot : frozenset of str
        Assets that refused these inputs with a sentence, and would again.
    """

    is_in_hand: bool
    was_cancelled: bool
    failed_at: tuple[float, ...]
    cannot: frozenset[str]

    @property
    def has_failed(self) -> bool:
        """Whether any did."""
        return bool(self.failed_at or self.cannot)

    def why_not_now(self, now: float) -> str | None:
        """Return why the work is not asked for now; None where it is.

        It is asked for again `RETRY_AFTER_S` after a failure; after the third, not before its inputs change.
        """
        if self.is_in_hand:
            return "in hand"
        if self.was_cancelled:
            return "cancelled by a person"
        if len(self.failed_at) > len(RETRY_AFTER_S):
            return f"failed {len(self.failed_at)} times"
        left = max(self.failed_at) + RETRY_AFTER_S[len(self.failed_at) - 1] - now if self.failed_at else 0.0
        return f"failed, to be tried again in {left:.0f} s" if left > 0 else None


def attempts_at(instance: dg.DagsterInstance, work: str) -> Attempts:
    """Return what became of the runs that were asked for with this digest of inputs."""
    runs = [(r, r.dagster_run) for r in instance.get_run_records(RunsFilter(tags={WORK_TAG: work}), limit=MOST_RUNS)]
    failed = [(record, run) for record, run in runs if run.status is DagsterRunStatus.FAILURE]
    refused = [run.tags[CANNOT_TAG].split(",") for _, run in failed if CANNOT_TAG in run.tags]
    return Attempts(
        any(run.status in IN_HAND for _, run in runs),
        any(run.status is DagsterRunStatus.CANCELED for _, run in runs),
        tuple(record.end_time or 0.0 for record, run in failed if CANNOT_TAG not in run.tags),
        frozenset(name for names in refused for name in names),
    )


def note_cannot(instance: dg.DagsterInstance, run_id: str, asset: str) -> None:
    """Note on a run that an asset refused its inputs with a sentence: to try again would be in vain."""
    run = instance.get_run_by_id(run_id)
    before = run.tags.get(CANNOT_TAG, "") if run else ""
    instance.add_run_tags(run_id, {CANNOT_TAG: ",".join(sorted({asset, *before.split(",")} - {""}))})


@cache
def _code() -> list[str]:
    """Return the code versions of all assets and readers as this process has them."""
    return [*(asset.code.digest for asset in all_assets()), *(reader_code(known.name).digest for known in FORMATS)]
