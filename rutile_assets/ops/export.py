"""Export as the command and the tests call it: what to write, where, with which formats of the field."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake import vault
from rutile_assets.lake.portable import write_database
from rutile_assets.ops.house import House
from rutile_assets.provenance.crate.archive import pack
from rutile_assets.provenance.crate.selection import Selection, films_of, select
from rutile_assets.provenance.crate.write import write_crate
from rutile_assets.results.exchange import EXCHANGES
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.rooms import ROOMS, all_assets


def write_export(
    house: House, out: Path, films: Sequence[str] | None, series: str | None, kind: str, *, raw: bool = False
) -> list[str]:
    """Write films as a crate (folder), an eln or zip, or a DuckDB file; return what to tell.

    Raises
    ------
    InvalidRecord
        Unknown films, or something stands at `out`.
    UnreadableFile
        The vault has lost or changed bytes.
    """
    if out.exists() and (kind != "crate" or out.is_file() or any(out.iterdir())):
        raise InvalidRecord(f"something at {out}", "a place where nothing stands", "Name another.")
    try:
        return _written(house, out, films, series, kind, raw=raw)
    except OSError as fault:
        raise InvalidRecord(
            f"no room or no permission at {fault.filename or out} ({fault.strerror})", "a place to write to",
            "Name another, or make room.",
        ) from fault  # fmt: skip


def _written(
    house: House, out: Path, films: Sequence[str] | None, series: str | None, kind: str, *, raw: bool
) -> list[str]:
    selection = select(house.lake, films_of(house.lake, films, series))
    said = [f"{len(selection.growth_ids)} films, {len(selection.rows('result'))} numbers: {out}"]
    if not selection.is_closed:
        said.append("numbers across films rest on films that are not in it; provenance/outside names them")
    if kind == "duckdb":
        left_out = _database(house, selection, out, raw=raw)
        return [*said, *[f"the view {name} needs the lake and is left out" for name in left_out]]
    if kind == "crate":
        write_crate(house.home, selection, out, all_assets(), EXCHANGES)
        return said
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.unfinished-") as folder:
        write_crate(house.home, selection, Path(folder) / out.stem, all_assets(), EXCHANGES)
        pack(Path(folder) / out.stem, out)
    return said


def pages_of(house: House, films: Sequence[str]) -> None:
    """Write the pages of films that came in, and the index."""
    if films:
        write_pages(house.lake, house.home, ROOMS, list(films))
        write_index(house.lake, house.home)


def _database(house: House, selection: Selection, out: Path, *, raw: bool) -> list[str]:
    unfinished = out.with_name(f".{out.stem}.unfinished.duckdb")
    unfinished.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)

    def contents() -> Iterator[tuple[str, Path]]:
        for row in selection.rows("raw_object"):
            yield row["sha256"], vault.path_of(house.home.vault, row["sha256"])

    try:
        left_out = write_database(
            unfinished, selection.tables, house.lake.declared, house.lake.views, contents() if raw else None
        )
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return left_out
