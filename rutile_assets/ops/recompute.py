"""Compute films anew in a clean home: from the bytes of another home's vault, hashes checked, files parsed again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from rutile_assets.errors import RutileError
from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.ops.house import SQL_FOLDER, House
from rutile_assets.ops.one_thread import one_thread_each
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.originals import Original, originals, write_originals
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets, all_tables

ACROSS = "all films"
NOTHING_TO_COMPUTE = "found nothing to compute it from; expected its files"
SMALL_BYTES = 2**20  # a file that may be another film's too, such as a sidecar
Key = tuple[str | None, str]  # the film, None for what spans films; the asset
Settings = Mapping[Key, Mapping[str, Any]]


@dataclass(frozen=True)
class Recomputed:
    """A clean home after its films were computed.

    Parameters
    ----------
    house : House
        The clean home.
    failures : dict
        (film, asset) -> why it could not be computed.
    """

    house: House
    failures: dict[Key, str]


@contextmanager
def clean_home(house: House) -> Iterator[Path]:
    """Give a folder beside the home's checkpoints for a home that is thrown away."""
    house.home.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=house.home.scratch, prefix="again-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recompute(
    house: House,
    folder: Path,
    wanted: Mapping[str | None, Sequence[str]],
    settings: Settings,
    *,
    processes: int = 1,
    tell: Callable[[str, str], None] = lambda *_: None,
) -> Recomputed:
    """Take films' raw files from the vault into a clean home and compute assets there.

    Parameters
    ----------
    house : House
        The home whose vault holds the bytes; nothing in it is changed.
    folder : Path
        An empty folder for the clean home.
    wanted : mapping
        Film -> assets to compute; None -> those that span films.
    settings : mapping
        (film, asset) -> parameters that are not the defaults; those that the code does not know are left out.
    processes : int
        How many films at a time.
    tell : callable
        Called with (film or "all films", asset) for each that was computed.

    Returns
    -------
    Recomputed
        One film's failure does not stop another film. The caller closes the lake.
    """
    films = sorted(film for film in wanted if film is not None)
    files = _by_film(films, originals(house.lake, house.home, films))
    home = Home.find(folder)
    home.settings_file.write_text(yaml.safe_dump(_written(settings)), encoding="utf-8")
    clean = open_clean(home.root)
    clean.lake.snapshot()  # the catalog is there before several processes open it
    failures: dict[Key, str] = {}

    def keep(film: str, outcome: tuple[list[str], dict[str, str]]) -> None:
        done, failed = outcome
        failures.update({(film, asset): why for asset, why in failed.items()})
        for asset in done:
            tell(film, asset)

    if processes == 1 or len(films) < 2:
        for film in films:
            keep(film, compute_film(clean, film, files[film], wanted[film]))
    else:
        clean.lake.close()
        with (
            one_thread_each(),
            ProcessPoolExecutor(min(processes, len(films)), mp_context=get_context("spawn")) as pool,
        ):
            running = {pool.submit(_in_process, home.root, f, files[f], list(wanted[f])): f for f in films}
            for finished in as_completed(running):
                try:
                    keep(running[finished], finished.result())
                except BrokenProcessPool:
                    died = "its process died; with too little memory try fewer --processes"
                    keep(running[finished], ([], dict.fromkeys(wanted[running[finished]], died)))
    run = RunContext("cli")
    for asset in _named(wanted.get(None, ())):
        _compute(clean, asset, None, run, failures)
        tell(ACROSS, asset.name)
    return Recomputed(clean, failures)


def open_clean(root: Path) -> House:
    """Open a home that is thrown away: not among those that a process keeps open."""
    home = Home(root)
    return House(home, Lake(home.lake, all_tables(), sorted(SQL_FOLDER.glob("*.sql"))))


def compute_film(
    clean: House, film: str, files: Sequence[Original], names: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Take a film's files in and compute its assets; return those computed, and why others were not.

    The files leave the inbox once they are in the clean home's vault, and large ones leave that once they were
    computed: a campaign needs room for the largest film and not for all.
    """
    failures: dict[Key, str] = {}
    inbox, run = clean.home.inbox / film, RunContext("cli")
    try:
        write_originals(files, clean.home.inbox)
        verdicts = clean.ingest([inbox], run)
        due = {stale.asset for stale in stale_assets(clean.lake, clean.home, all_assets(), [film])}
    except RutileError as fault:
        return [], dict.fromkeys(names, str(fault))
    finally:
        shutil.rmtree(inbox, ignore_errors=True)
    refused = [f"; {verdict.sentence}" for verdict in verdicts if verdict.status == "rejected"]
    done = []
    for asset in _named(names):
        if asset.name not in due:
            failures[film, asset.name] = NOTHING_TO_COMPUTE + "".join(refused)
            continue
        if _compute(clean, asset, film, run, failures):
            done.append(asset.name)
    _drop_large(clean, files)
    return done, {name: why for (_, name), why in failures.items()}


def _drop_large(clean: House, files: Sequence[Original]) -> None:
    """Drop a film's large files from the clean home's vault: nothing reads them again, and no other film has them."""
    for file in files:
        copy = vault.path_of(clean.home.vault, file.sha256)
        if copy.is_file() and copy.stat().st_size > SMALL_BYTES:
            copy.unlink()


def _compute(clean: House, asset: Asset, film: str | None, run: RunContext, failures: dict[Key, str]) -> bool:
    """Compute an asset unless what it reads of the film has failed; tell whether it is there."""
    failed = {name for (of, name), why in failures.items() if of == film and not why.startswith(NOTHING_TO_COMPUTE)}
    above = next((name for name in asset.reads if name in failed), None)
    if above is not None:
        failures[film, asset.name] = f"{above} could not be computed"
        return False
    try:
        materialize(clean.lake, clean.home, asset, film, run)
    except RutileError as fault:
        failures[film, asset.name] = str(fault)
    except Exception as fault:  # a fault of the analysis stops this asset, and is told
        failures[film, asset.name] = f"{type(fault).__name__}: {fault}"
    return (film, asset.name) not in failures


def _in_process(
    root: Path, film: str, files: Sequence[Original], names: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    clean = open_clean(root)
    try:
        return compute_film(clean, film, files, names)
    finally:
        clean.lake.close()


def _named(names: Sequence[str]) -> list[Asset]:
    """Return assets, upstream before downstream."""
    return [asset for asset in all_assets() if asset.name in names]


def _by_film(films: Sequence[str], files: Sequence[Original]) -> dict[str, list[Original]]:
    by_film: dict[str, list[Original]] = {film: [] for film in films}
    for file in files:
        by_film[file.growth_id].append(file)
    return by_film


def _written(settings: Settings) -> dict[str, Any]:
    """Return rutile.yaml's content: what a film's asset was computed with stands under that film."""
    known = {asset.name: asset for asset in all_assets()}
    written: dict[str, Any] = {"parameters": {}, "films": {}}
    for (film, name), values in settings.items():
        asset = known.get(name)
        if asset is None or asset.parameters is None:
            continue
        fields = asset.parameters_as_dict(asset.parameters())
        kept = {key: value for key, value in values.items() if key in fields and value != fields[key]}
        if kept:
            place = written["parameters"] if film is None else written["films"].setdefault(film, {})
            place[name] = kept
    return written
