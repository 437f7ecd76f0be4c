"""What runs by itself: the inbox is read, what is stale is computed, people are told, the lake is kept.

What is stale is said by the lake alone (`rutile stale`), and a sensor asks for exactly that: docs/adr/0006.
"""

import hashlib
import json
import time
from collections.abc import Sequence, Set
from pathlib import Path

import dagster as dg
from dagster import SensorEvaluationContext

from rutile_assets.ops.alerts import alert, failure_sentence
from rutile_assets.ops.alive import bury_dead_runs
from rutile_assets.ops.attempts import WORK_TAG, attempts_at, films_in_hand, has_backfill, work_of
from rutile_assets.ops.batches import batches, range_tags
from rutile_assets.ops.catalog import (
    FILM_PAGE,
    FILMS,
    INDEX_PAGE,
    RAW_FILES,
    TRIGGER_TAG,
    HouseResource,
    dagster_asset,
    film_page_asset,
    index_page_asset,
    raw_files,
)
from rutile_assets.ops.house import House
from rutile_assets.ops.inbox_watch import folders_in, loose_files, not_judged
from rutile_assets.ops.nightly import nightly_verification, verification_job
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film_asset import Room
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.rooms import ROOMS, all_assets

EVERY_S = 30
LONGEST_WAIT_S = 900.0  # that what spans films waits for a batch to settle
ARRIVES_S = 120.0
LISTED = 5

ACROSS_FILMS = dg.AssetSelection.assets(
    *(asset.name for room in ROOMS for asset in room.assets if asset.spans_films), INDEX_PAGE
)
film_job = dg.define_asset_job(
    "film",
    selection=dg.AssetSelection.all() - ACROSS_FILMS,
    description="Everything for one film: its inbox folder, its tables, its fits, its page.",
)
ingest_job = dg.define_asset_job(
    "ingest", selection=dg.AssetSelection.assets(RAW_FILES), description="The film's inbox folder, and no more."
)
across_films_job = dg.define_asset_job(
    "across_films", selection=ACROSS_FILMS, description="What rests on all films together: series, trends, fits."
)


@dg.sensor(
    job=ingest_job,
    name="inbox",
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads a film's inbox folder once it has changed and then stayed as it is.",
)
def inbox_sensor(context: SensorEvaluationContext, house: HouseResource) -> dg.SensorResult:
    """Ask for the ingest of settled folders that hold what the lake has not judged; the cursor only saves looking.

    What is in no film's folder is judged here: it is refused with a sentence.
    """
    opened, instance = house.open(), context.instance
    order = instance.get_dynamic_partitions(FILMS.name or "")
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    in_hand, _ = films_in_hand(instance, order)
    folders = folders_in(opened.home)
    waiting = {f.path.name: f for f in not_judged(opened, [f for f in folders if seen.get(f.path.name) != f.state])}
    judged = {f.path.name: f.state for f in folders if f.path.name not in waiting}
    ready = [f for name, f in waiting.items() if f.has_settled and name not in in_hand]
    strangers = [f for f in ready if not f.is_growth]
    loose = loose_files(opened.home)
    judged[""] = _digest([[f.state for f in strangers], [(p.name, p.lstat().st_mtime_ns) for p in loose]])
    if (strangers or loose) and seen.get("") != judged[""]:
        opened.ingest([*(f.path for f in strangers), *loose], RunContext("sensor"))
    films = [f.path.name for f in ready if f.is_growth]
    new = [film for film in films if film not in order]
    requests = []
    for batch, _ in batches(dict.fromkeys(films, ()), [*order, *new]):
        work = _digest([waiting[film].state for film in batch])
        done = attempts_at(instance, work)
        if done.why_not_now(time.time()) is None and not done.cannot:
            requests.append(_request(ingest_job.name, batch, [], work))
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[FILMS.build_add_request(new)] if new else [],
        cursor=json.dumps(judged),
    )


@dg.sensor(
    jobs=[film_job, across_films_job],
    name="recompute_what_is_stale",
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Computes what `rutile stale` lists: new or replaced files, changed code, constants, parameters, upstream data."
        " What failed is tried twice more, later and later; what spans films waits until a batch has settled."
    ),
)
def stale_sensor(context: SensorEvaluationContext, house: HouseResource) -> dg.SensorResult | dg.SkipReason:
    """Ask for exactly the stale assets of each film that no run has in hand, then for what spans films."""
    opened, instance = house.open(), context.instance
    for run_id in bury_dead_runs(instance, opened.home):
        context.log.warning(f"run {run_id} had no process any more")
    if changed_on_disk():
        return dg.SkipReason("The code on disk is newer than the code that is loaded: reload the code location.")
    if has_backfill(instance):
        return dg.SkipReason("A backfill is handing out runs.")
    work = _Work(opened, instance)
    requests = work.of_films()
    since = json.loads(context.cursor or "null")
    if not work.across:
        since = None
    elif not requests and not work.in_hand and not arriving(opened):
        requests, since = work.of_all_films(), None
    else:
        since = since or time.time()
        if time.time() - since > LONGEST_WAIT_S:
            requests, since = [*requests, *work.of_all_films()], None
        else:
            work.told.append("what spans films waits for the batch to settle")
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(work.told[:LISTED]) or "Nothing is stale.",
        dynamic_partitions_requests=[FILMS.build_add_request(work.new)] if work.new else [],
        cursor=json.dumps(since),
    )


class _Work:
    """What is stale now, what runs have in hand, and what was tried before."""

    def __init__(self, house: House, instance: dg.DagsterInstance) -> None:
        self.house, self.instance = house, instance
        known = instance.get_dynamic_partitions(FILMS.name or "")
        self.new = sorted(set(house.films()) - set(known))  # ingested from the command line, or imported
        self.order = [*known, *self.new]
        self.in_hand, self.jobs = films_in_hand(instance, known)
        self.needs: dict[str, list[str]] = {}
        self.across: list[str] = []
        self.told: list[str] = []
        for stale in stale_assets(house.lake, house.home, all_assets()):
            if stale.growth_id is None:
                self.across.append(stale.asset)
            elif stale.growth_id not in self.in_hand:
                self.needs.setdefault(stale.growth_id, []).append(stale.asset)

    def of_films(self) -> list[dg.RunRequest]:
        """Return a request for each batch of films; one that failed as a batch is asked for film by film."""
        requests = []
        for films, assets in batches(self.needs, self.order):
            together = len(films) == 1 or not attempts_at(self.instance, work_of(self.house, films)).has_failed
            for batch in [films] if together else [[film] for film in films]:
                requests += self._asked(film_job.name, batch, assets, FILM_PAGE)
        return requests

    def of_all_films(self) -> list[dg.RunRequest]:
        """Return the request for what spans films, where no run has it in hand."""
        return (
            []
            if across_films_job.name in self.jobs
            else self._asked(across_films_job.name, [], self.across, INDEX_PAGE)
        )

    def _asked(self, job: str, films: Sequence[str], assets: Sequence[str], page: str) -> list[dg.RunRequest]:
        work = work_of(self.house, films)
        before = attempts_at(self.instance, work)
        able = _without(before.cannot, assets)
        named = f"{', '.join(films[:LISTED]) or 'all films'}"
        if len(able) < len(assets):
            self.told.append(f"{named}: cannot be computed from these files: {', '.join(sorted(before.cannot))}")
        why_not = before.why_not_now(time.time()) if able else None
        if why_not is not None:
            self.told.append(f"{named}: {why_not}")
        return [_request(job, films, [*able, page], work)] if able and why_not is None else []


def _without(cannot: Set[str], names: Sequence[str]) -> list[str]:
    """Return the assets, in their order, that neither are among those that cannot be computed nor rest on one."""
    dropped = set(cannot)
    for asset in all_assets():
        if dropped.intersection(asset.reads):
            dropped.add(asset.name)
    return [name for name in names if name not in dropped]


def arriving(house: House) -> bool:
    """Tell whether files have come to the inbox in the last minutes that are not in the lake yet."""
    fresh = [f for f in folders_in(house.home) if f.is_growth and time.time() - f.touched_at < ARRIVES_S]
    return bool(not_judged(house, fresh))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:20]


def _request(job: str, films: Sequence[str], assets: Sequence[str], work: str) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=job,
        partition_key=films[0] if len(films) == 1 else None,
        asset_selection=[dg.AssetKey(name) for name in assets] or None,
        tags={TRIGGER_TAG: "sensor", WORK_TAG: work, **(range_tags(films) if films else {})},
    )


_PACKAGE = Path(__file__).resolve().parents[1]


def _sources() -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in _PACKAGE.rglob("*.py")}


_LOADED = _sources()


def changed_on_disk() -> bool:
    """Tell whether the package's source was touched since this process loaded it."""
    return _sources() != _LOADED


@dg.run_failure_sensor(
    name="alert_on_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of a failed run in alerts.log, and by webhook and e-mail where rutile.yaml names them.",
)
def alert_on_failure(context: dg.RunFailureSensorContext, house: HouseResource) -> None:
    """Name the film and the asset, and quote the sentence it failed with."""
    run = context.dagster_run
    films = run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_start") or "all films"
    sentences = [failure_sentence(event) for event in context.get_step_failure_events()]
    sentences = sentences or [context.failure_event.message or "failed"]
    alert(house.open().home, f"{run.job_name} of {films} failed", "\n".join([*sentences, f"run {run.run_id}"]))


@dg.op
def maintain_lake(house: HouseResource) -> None:
    """Write inlined rows to Parquet and merge small files."""
    opened = house.open()
    opened.lake.maintain()
    write_pages(opened.lake, opened.home, ROOMS, everything=False)
    write_index(opened.lake, opened.home)


@dg.job(name="maintenance", description="Writes small rows out to Parquet and merges small files; loses nothing.")
def maintenance_job() -> None:
    """Keep the lake quick."""
    maintain_lake()


nightly_maintenance = dg.ScheduleDefinition(
    name="nightly_maintenance",
    job=maintenance_job,
    cron_schedule="30 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    job=film_job,
    name="monthly_refit",
    cron_schedule="0 5 1 * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Computes everything of every film anew, also what is not stale.",
)
def monthly_refit(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Ask for each film's whole job."""
    return [
        dg.RunRequest(partition_key=film, run_key=f"{context.scheduled_execution_time:%Y-%m}:{film}")
        for film in context.instance.get_dynamic_partitions(FILMS.name or "")
    ]


def build_definitions(rooms: Sequence[Room]) -> dg.Definitions:
    """Return everything that Dagster serves: the rooms' assets, the jobs, the sensors and the schedules."""
    assets = [asset for room in rooms for asset in room.assets]
    return dg.Definitions(
        assets=[
            raw_files, *(dagster_asset(asset) for asset in assets), film_page_asset(rooms), index_page_asset(rooms)
        ],
        jobs=[film_job, ingest_job, across_films_job, maintenance_job, verification_job],
        sensors=[inbox_sensor, stale_sensor, alert_on_failure],
        schedules=[nightly_maintenance, nightly_verification, monthly_refit],
        resources={"house": HouseResource()},
        executor=dg.in_process_executor,
    )  # fmt: skip
