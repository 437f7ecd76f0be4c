"""Assets as Dagster shows and runs them: one partition per film or none, checks, schema, plot, values with sigma."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import AssetExecutionContext

from rutile_assets.errors import RutileError
from rutile_assets.ops.alerts import alert
from rutile_assets.ops.alive import hold
from rutile_assets.ops.attempts import note_cannot
from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.shown import declared, described, page_link, shown_of
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film_asset import Asset, Room
from rutile_assets.provenance.materialize import materialize
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.results.passport.stale_page import write_stale

# single-run backfills are marked beta by Dagster; they are what makes a thousand cheap films cheap
warnings.filterwarnings("ignore", category=dg.BetaWarning)

FILMS = dg.DynamicPartitionsDefinition(name="films")
RAW_FILES = "raw_files"
FILM_PAGE = "film_page"
INDEX_PAGE = "index_page"
OWNERS = ["team:thin-films"]
SENTENCES = 5  # that a check shows
MOST_TOLD = 20  # that an alert holds
TRIGGER_TAG = "rutile/trigger"
LISTENERS: list[Callable[[str, str], None]] = []
_RUNS: dict[str, RunContext] = {}


class HouseResource(dg.ConfigurableResource[Any]):
    """The home that runs read and write.

    Parameters
    ----------
    home : str
        Its folder; empty for RUTILE_HOME or ./.rutile.
    """

    home: str = ""

    def open(self) -> House:
        """Open the home and its lake."""
        return open_house(self.home or None)


@dg.asset(
    name=RAW_FILES,
    group_name="growth",
    partitions_def=FILMS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"file", "parquet"},
    owners=OWNERS,
    description="The film's instrument files: from its inbox folder to the vault, each accepted or refused.",
    check_specs=[dg.AssetCheckSpec("files_accepted", asset=RAW_FILES, description="No file of the film was refused.")],
)
def raw_files(context: AssetExecutionContext, house: HouseResource) -> Iterator[Any]:
    """Ingest the film's inbox folder."""
    opened = house.open()
    run = _run_of(context, opened)
    refused: list[str] = []
    versions: dict[str, str] = {}
    for growth_id in context.partition_keys:
        folder = opened.home.inbox / growth_id
        verdicts = opened.ingest([folder], run) if folder.is_dir() else []
        refused += [v.sentence for v in verdicts if v.status == "rejected"]
        files = opened.lake.rows(
            "SELECT technique, original_path, reader, data_version FROM current_raw_file WHERE growth_id = ?"
            " ORDER BY original_path",
            [growth_id],
        )
        if not files:
            note_cannot(context.instance, context.run.run_id, RAW_FILES)
            raise dg.Failure(f"{growth_id}: no accepted file. " + " ".join(refused[:1]), allow_retries=False)
        versions[growth_id] = " ".join(f["data_version"] for f in files)
        listing = "\n".join(f"| {f['original_path']} | {f['technique']} | {f['reader']} |" for f in files)
        context.add_asset_metadata(
            {
                "files": dg.MetadataValue.md(f"| file | technique | format |\n|---|---|---|\n{listing}"),
                "dagster/row_count": len(files),
                "refused": len([v for v in verdicts if v.status == "rejected"]),
            },
            partition_key=growth_id,
        )
    if refused:
        write_index(opened.lake, opened.home)  # it lists what was refused
        told = refused[:MOST_TOLD] + [f"and {len(refused) - MOST_TOLD} more"] * (len(refused) > MOST_TOLD)
        alert(opened.home, f"{', '.join(context.partition_keys[:3])}: {len(refused)} files refused", "\n".join(told))
    yield dg.MaterializeResult(data_version=_data_version(versions))
    yield dg.AssetCheckResult(
        check_name="files_accepted",
        passed=not refused,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(refused[:SENTENCES]),
    )


def dagster_asset(asset: Asset) -> dg.AssetsDefinition:
    """Return an asset as Dagster's definition of it: a partition for each film, or none where it spans films."""
    upstream = [RAW_FILES] if asset.files else []

    @dg.asset(
        name=asset.name,
        deps=[*upstream, *asset.reads],
        group_name=asset.room,
        partitions_def=None if asset.spans_films else FILMS,
        backfill_policy=None if asset.spans_films else dg.BackfillPolicy.single_run(),
        code_version=asset.code.digest,
        kinds=set(asset.kinds),
        owners=OWNERS,
        pool=asset.pool,
        description=described(asset),
        metadata=declared(asset),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL),
        check_specs=[
            dg.AssetCheckSpec(
                "rows_as_declared",
                asset=asset.name,
                blocking=True,
                description="The committed rows, read back from the lake, keep the table's types, bounds and key.",
            ),
            *_file_checks(asset),
            *_warning_checks(asset),
        ],
    )
    def _asset(context: AssetExecutionContext, house: HouseResource) -> Iterator[Any]:
        opened = house.open()
        run, tell = _run_of(context, opened), context.log.info
        versions: dict[str, str] = {}
        refused: list[str] = []
        warned: dict[str, list[str]] = {}
        films: Sequence[str | None] = [None] if asset.spans_films else context.partition_keys
        for growth_id in films:
            named = growth_id or "all films"
            try:
                made = materialize(opened.lake, opened.home, asset, growth_id, run, tell)
            except RutileError as fault:
                note_cannot(context.instance, context.run.run_id, asset.name)
                raise dg.Failure(f"{named}: {fault}", allow_retries=False) from fault
            versions[named] = made.data_version
            refused += [str(why) for _, why in made.outcome.rejected]
            for check, sentences in made.outcome.warnings.items():
                warned.setdefault(check, []).extend(sentences)
            context.add_asset_metadata(shown_of(opened, asset, growth_id, made), partition_key=growth_id)
            for listener in LISTENERS:
                listener(named, asset.name)
        yield dg.MaterializeResult(data_version=_data_version(versions))
        yield _rows_as_declared(opened, asset, films)
        if asset.files:
            yield dg.AssetCheckResult(
                check_name="files_accepted",
                passed=not refused,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(refused[:5]),
            )
        for check in asset.warns:
            broken = warned.get(check, [])
            yield dg.AssetCheckResult(
                check_name=check,
                passed=not broken,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(broken[:SENTENCES]),
                metadata={"broken": len(broken)},
            )

    return _asset


def film_page_asset(rooms: Sequence[Room]) -> dg.AssetsDefinition:
    """Return the asset that writes a film's page, downstream of every other asset of the film."""
    assets = [asset for room in rooms for asset in room.assets]

    @dg.asset(
        name=FILM_PAGE,
        deps=[RAW_FILES, *(asset.name for asset in assets if not asset.spans_films)],
        group_name="results",
        partitions_def=FILMS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"html"},
        owners=OWNERS,
        description="The film's page and the index of films: static HTML that opens from disk.",
    )
    def _page(context: AssetExecutionContext, house: HouseResource) -> Iterator[Any]:
        opened = house.open()
        write_pages(opened.lake, opened.home, rooms, context.partition_keys)
        for growth_id in context.partition_keys:
            context.add_asset_metadata({"page": page_link(opened.home, growth_id)}, partition_key=growth_id)
        write_index(opened.lake, opened.home)
        yield dg.MaterializeResult()

    return _page


def index_page_asset(rooms: Sequence[Room]) -> dg.AssetsDefinition:
    """Return the asset that writes the index, and anew the pages whose content what spans films has changed."""
    across = [asset.name for room in rooms for asset in room.assets if asset.spans_films]

    @dg.asset(
        name=INDEX_PAGE,
        deps=across,
        group_name="results",
        kinds={"html"},
        owners=OWNERS,
        description="The index of films, and every film's page that the numbers across films have changed.",
    )
    def _index(context: AssetExecutionContext, house: HouseResource) -> dg.MaterializeResult[Any]:
        opened = house.open()
        written = write_pages(opened.lake, opened.home, rooms, everything=False)
        write_stale(opened.lake, opened.home, rooms)
        write_index(opened.lake, opened.home)
        metadata: dict[str, Any] = {"page": page_link(opened.home, None), "pages_written": len(written)}
        return dg.MaterializeResult(metadata=metadata)

    return _index


def _rows_as_declared(house: House, asset: Asset, growth_ids: Sequence[str | None]) -> dg.AssetCheckResult:
    broken = []
    for table in asset.writes:
        here = "" if asset.spans_films else f" WHERE growth_id IN ({', '.join('?' * len(growth_ids))})"
        rows = house.lake.frame(f'SELECT * FROM lake."{table.name}"{here}', [] if asset.spans_films else growth_ids)
        try:
            table.frame(rows)
        except RutileError as fault:
            broken.append(str(fault))
    return dg.AssetCheckResult(check_name="rows_as_declared", passed=not broken, description="; ".join(broken))


def _file_checks(asset: Asset) -> list[dg.AssetCheckSpec]:
    if not asset.files:
        return []
    text = "Every accepted file could be used; a refused one is a row of rejected_files."
    return [dg.AssetCheckSpec("files_accepted", asset=asset.name, description=text)]


def _warning_checks(asset: Asset) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=asset.name, description=says) for name, says in asset.warns.items()]


def _data_version(versions: Mapping[str, str]) -> dg.DataVersion:
    only = next(iter(versions.values())) if len(versions) == 1 else json.dumps(dict(versions), sort_keys=True)
    return dg.DataVersion(only if len(only) <= 20 else _short(only))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _run_of(context: AssetExecutionContext, house: House) -> RunContext:
    run_id = context.run.run_id
    if run_id not in _RUNS:
        hold(house.home, run_id)
        tags = context.run.tags
        trigger = tags.get(TRIGGER_TAG) or _trigger_from(tags)
        _RUNS.clear()
        _RUNS[run_id] = RunContext(trigger, run_id)
    return _RUNS[run_id]


def _trigger_from(tags: Mapping[str, str]) -> str:
    for tag, word in (("dagster/schedule_name", "schedule"), ("dagster/sensor_name", "sensor")):
        if tag in tags:
            return word
    return "sensor" if "dagster/from_automation_condition" in tags else "ui"
