"""What runs by itself: the inbox sensor, the automation of assets, jobs and schedules."""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path

import dagster as dg
from dagster import SensorEvaluationContext

from rutile_assets.ops.catalog import (
    FILMS,
    RAW_FILES,
    TRIGGER_TAG,
    HouseResource,
    dagster_asset,
    film_page_asset,
    raw_files,
)
from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film_asset import Room
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.rooms import ROOMS, all_assets
from rutile_assets.techniques.growth.record import GROWTH_FILE, ID_PATTERN

QUIET_S = 10.0

ACROSS_FILMS = dg.AssetSelection.assets(*(asset.name for asset in all_assets() if asset.spans_films))
film_job = dg.define_asset_job(
    "film",
    selection=dg.AssetSelection.all() - ACROSS_FILMS,
    description="Everything for one film: its inbox folder, its tables, its fits, its page.",
)
across_films_job = dg.define_asset_job(
    "across_films", selection=ACROSS_FILMS, description="What rests on all films together: series, trends, fits."
)


@dg.sensor(
    job=film_job,
    name="inbox",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for each film whose inbox folder has changed and then stayed as it is.",
)
def inbox_sensor(context: SensorEvaluationContext, house: HouseResource) -> dg.SensorResult | dg.SkipReason:
    """Look at the inbox; a folder whose files were touched in the last seconds waits for the next look."""
    opened = house.open()
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    now: dict[str, str] = {}
    requests = []
    films = []
    for folder in sorted(p for p in opened.home.inbox.iterdir() if p.is_dir() and not p.name.startswith(".")):
        state, youngest = folder_state(folder)
        if state is None or time.time() - youngest < QUIET_S or seen.get(folder.name) == state:
            now[folder.name] = seen.get(folder.name, "")
            continue
        now[folder.name] = state
        if is_up_to_date(opened, folder):
            continue
        if re.match(ID_PATTERN, folder.name) and (folder / GROWTH_FILE).is_file():
            films.append(folder.name)
            requests.append(
                dg.RunRequest(run_key=f"{folder.name}:{state}", partition_key=folder.name, tags={TRIGGER_TAG: "sensor"})
            )
        else:
            opened.ingest([folder], RunContext("sensor"))
    loose, state = _loose_files(opened.home.inbox)
    if loose and seen.get("") != state:
        opened.ingest(loose, RunContext("sensor"))
    now[""] = state
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[FILMS.build_add_request(films)] if films else [],
        cursor=json.dumps(now),
    )


def folder_state(folder: Path) -> tuple[str | None, float]:
    """Return a digest of names, sizes and times below a folder (None if it is empty) and the youngest time."""
    files = list(_files(folder))
    if not files:
        return None, 0.0
    stats = [(p.relative_to(folder).as_posix(), p.lstat().st_size, p.lstat().st_mtime_ns) for p in files]
    digest = hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:20]
    return digest, max(mtime for _, _, mtime in stats) / 1e9


def is_up_to_date(house: House, folder: Path) -> bool:
    """Tell whether every file of a film's folder was judged since it last changed, and nothing of the film is stale.

    So a daemon that starts over a home that people filled from the command line recomputes nothing.
    """
    rows = house.lake.rows(
        "SELECT original_path AS path, max(ingested_at) AS judged_at FROM lake.raw_file WHERE growth_id = ?"
        " GROUP BY ALL"
        " UNION ALL SELECT path, max(rejected_at) FROM lake.rejected_file WHERE growth_id = ? GROUP BY ALL",
        [folder.name, folder.name],
    )
    judged: dict[str, float] = {}
    for row in rows:
        when = row["judged_at"].replace(tzinfo=UTC).timestamp()
        judged[row["path"]] = max(when, judged.get(row["path"], 0.0))
    current = all(p.lstat().st_mtime <= judged.get(p.relative_to(folder).as_posix(), 0.0) for p in _files(folder))
    return current and not stale_assets(house.lake, house.home, all_assets(), [folder.name])


def _loose_files(inbox: Path) -> tuple[list[Path], str]:
    files = [
        p
        for p in sorted(inbox.iterdir())
        if p.is_file() and not p.name.startswith(".") and time.time() - p.stat().st_mtime >= QUIET_S
    ]
    return files, " ".join(f"{p.name}:{p.stat().st_mtime_ns}" for p in files)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and (path.is_file() or path.is_symlink()):
            yield path


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

nightly_inbox = dg.ScheduleDefinition(
    name="nightly_all_films",
    target=dg.AssetSelection.assets(RAW_FILES),
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Reads every inbox folder again; downstream follows where data changed.",
    execution_fn=lambda context: [
        dg.RunRequest(partition_key=key, run_key=f"{context.scheduled_execution_time:%Y-%m-%d}:{key}")
        for key in context.instance.get_dynamic_partitions(FILMS.name or "")
    ],
)

automation = dg.AutomationConditionSensorDefinition(
    "recompute_what_changed",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Recomputes a film's assets when their upstream data or their code changes.",
)


def build_definitions(rooms: Sequence[Room]) -> dg.Definitions:
    """Return everything that Dagster serves: the rooms' assets, the jobs, the sensors and the schedules."""
    assets = [asset for room in rooms for asset in room.assets]
    return dg.Definitions(
        assets=[raw_files, *(dagster_asset(asset) for asset in assets), film_page_asset(rooms)],
        jobs=[film_job, *([across_films_job] if any(a.spans_films for a in assets) else []), maintenance_job],
        sensors=[inbox_sensor, automation],
        schedules=[nightly_maintenance, nightly_inbox],
        resources={"house": HouseResource()},
        executor=dg.in_process_executor,
    )
