"""Bring films up to date: what is stale, through Dagster, in this process."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import dagster as dg

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops import catalog
from rutile_assets.ops.alerts import failure_sentence
from rutile_assets.ops.automation import across_films_job, build_definitions, film_job
from rutile_assets.ops.batches import batches, range_tags
from rutile_assets.ops.catalog import FILM_PAGE, FILMS, INDEX_PAGE, TRIGGER_TAG
from rutile_assets.ops.history import kept_open
from rutile_assets.ops.house import House
from rutile_assets.provenance.change import ASKED_FOR
from rutile_assets.provenance.stale import Stale, stale_assets
from rutile_assets.rooms import ROOMS, all_assets


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    Parameters
    ----------
    done : int
        Assets of films computed.
    failures : list of str
        A sentence for each that failed.
    """

    done: int
    failures: list[str]


def plan(
    house: House, films: Sequence[str] | None = None, select: str | None = None, *, everything: bool = False
) -> list[Stale]:
    """Return what has to be computed, upstream before downstream.

    Parameters
    ----------
    house : House
        The home.
    films : sequence of str, optional
        Only these.
    select : str, optional
        Dagster's selection syntax (``xrr_fit``, ``group:xrr``, ``key:kpfm_map+``): only these assets.
    everything : bool
        Also what is not stale.

    Raises
    ------
    InvalidRecord
        Unknown film, or a selection that Dagster does not understand or that is empty.
    """
    assets = all_assets()
    chosen = _selected(select)
    stale = stale_assets(house.lake, house.home, assets, films)
    if everything:
        wanted: list[str | None] = list(films) if films else [*house.films(), None]
        present = {(s.growth_id, s.asset): s for s in stale}
        rows = house.lake.rows("SELECT DISTINCT growth_id, asset FROM lake.entity WHERE kind = 'asset'")
        have = {(row["growth_id"], row["asset"]) for row in rows} | set(present)
        stale = [
            present.get((film, asset.name), Stale(film, asset.name, (ASKED_FOR,)))
            for film in wanted
            for asset in assets
            if (film, asset.name) in have
        ]
    return [s for s in stale if s.asset in chosen]


def run(house: House, work: Sequence[Stale], tell: Callable[[str, str], None] | None = None) -> RunReport:
    """Compute what `plan` returned.

    Parameters
    ----------
    house : House
        The home.
    work : sequence of Stale
        From `plan`.
    tell : callable, optional
        Called with (growth_id or "all films", asset) after each.

    Returns
    -------
    RunReport
        One film's failure does not stop another film.
    """
    instance = prepare_dagster(house)
    across = [stale.asset for stale in work if stale.growth_id is None]
    needs: dict[str, list[str]] = {}
    for stale in work:
        if stale.growth_id is not None:
            needs.setdefault(stale.growth_id, []).append(stale.asset)
    known = instance.get_dynamic_partitions(FILMS.name or "")
    instance.add_dynamic_partitions(FILMS.name or "", [f for f in house.films() if f not in known])
    failures: list[str] = []
    done = 0

    def computed(growth_id: str, asset: str) -> None:
        nonlocal done
        done += 1
        if tell is not None:
            tell(growth_id, asset)

    def execute(job: str, films: Sequence[str], assets: Sequence[str]) -> None:
        run_id = str(uuid4())
        with kept_open(instance, house.home.dagster, run_id):
            result = _job(job).execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                instance=instance,
                partition_key=films[0] if len(films) == 1 else None,
                tags={TRIGGER_TAG: "cli", **(range_tags(films) if films else {})},
                asset_selection=[dg.AssetKey(name) for name in assets],
                raise_on_error=False,
                run_id=run_id,
            )
        if not result.success:
            failures.extend(_told(result))

    catalog.LISTENERS.append(computed)
    try:
        for films, assets in batches(needs, instance.get_dynamic_partitions(FILMS.name or "")):
            execute(film_job.name, films, (*assets, FILM_PAGE))
        if across:
            execute(across_films_job.name, (), (*across, INDEX_PAGE))
    finally:
        catalog.LISTENERS.remove(computed)
    return RunReport(done, failures)


@cache
def _job(name: str) -> dg.JobDefinition:
    """Return a job of the rooms, resolved once a process."""
    return build_definitions(ROOMS).resolve_job_def(name)


def prepare_dagster(house: House) -> dg.DagsterInstance:
    """Make the home's Dagster folder the one in use and return its instance."""
    settings = house.home.dagster / "dagster.yaml"
    shipped = Path(__file__).resolve().parents[2] / "dagster.yaml"
    if shipped.is_file() and (not settings.exists() or settings.read_bytes() != shipped.read_bytes()):
        shutil.copyfile(shipped, settings)
    os.environ["DAGSTER_HOME"] = str(house.home.dagster)
    os.environ["RUTILE_HOME"] = str(house.home.root)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    return dg.DagsterInstance.get()


def _selected(select: str | None) -> set[str]:
    names = {asset.name for asset in all_assets()}
    if select is None:
        return names
    try:
        keys = dg.AssetSelection.from_string(select).resolve(build_definitions(ROOMS).resolve_asset_graph())
    except Exception as fault:
        raise InvalidRecord(
            f"selection {select!r} ({' '.join(str(fault).split())[:120]})",
            "e.g. xrr_fit, group:xrr, key:xrr_scan+",
            "Correct it.",
        ) from fault
    chosen = {key.to_user_string() for key in keys} & names
    if not chosen:
        raise InvalidRecord(f"selection {select!r} of nothing", f"one of {', '.join(sorted(names))}", "Correct it.")
    return chosen


def _told(result: dg.ExecuteInProcessResult) -> list[str]:
    return [failure_sentence(event) for event in result.all_events if event.is_step_failure]
