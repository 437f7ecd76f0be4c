"""A crate of some films, written into a folder: whole or not at all, and the same bytes from the same lake."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as arrow
import yaml
from pyarrow import parquet

from rutile_assets import __version__
from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.provenance.crate.lab import Lab, lab_of
from rutile_assets.provenance.crate.metadata import WORKFLOW, Crate, Node, metadata
from rutile_assets.provenance.crate.parts import MANIFEST, METADATA, Parts
from rutile_assets.provenance.crate.prov_json import prov_json
from rutile_assets.provenance.crate.selection import OUTSIDE, Selection
from rutile_assets.provenance.crate.words import preview, readme
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import prints_path
from rutile_assets.provenance.tables import PROVENANCE_TABLES, RESULT, RESULT_COVARIANCE, RESULT_SYSTEMATIC
from rutile_assets.table import Table

NUMBERS = (RESULT.name, RESULT_COVARIANCE.name, RESULT_SYSTEMATIC.name)
RECORDS = tuple(table.name for table in (*PROVENANCE_TABLES, OUTSIDE) if table.name not in NUMBERS)
AS_CSV = ("claims",)
_VAULT_LINK = re.compile(r"(?:\.\./)+vault/raw/sha256/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})")
RESULTS_CSV = (
    "growth_id", "series", "quantity", "subject", "value", "sigma", "unit", "technique", "method", "notes", "result_id",
    "entity_id",
)  # fmt: skip


@dataclass(frozen=True)
class Extra:
    """A file in a format of a field, made from rows of the lake.

    Parameters
    ----------
    path : str
        Below ``exchange/``.
    content : bytes
        The file.
    says : str
        What it is.
    """

    path: str
    content: bytes
    says: str


Exchange = Callable[[Selection], Iterable[Extra]]


def write_crate(
    home: Home, selection: Selection, out: Path, assets: Sequence[Asset], exchanges: Sequence[Exchange] = ()
) -> Parts:
    """Write a crate.

    Parameters
    ----------
    home : Home
        Where the bytes, the arrays, the pages and the lab's name are.
    selection : Selection
        The rows.
    out : Path
        A folder that is not there yet, or is empty.
    assets : sequence of Asset
        All assets, upstream before downstream.
    exchanges : sequence of callable
        Selection -> files in formats of a field.

    Returns
    -------
    Parts
        Every file but metadata and manifest.

    Raises
    ------
    InvalidRecord
        Something stands at `out`.
    UnreadableFile
        Bytes in the vault are gone or changed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidRecord(f"something at {out}", "a folder that is not there yet", "Name another.")
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.unfinished-"))
    try:
        parts = _written(home, selection, Parts(unfinished), assets, exchanges, lab_of(home))
        unfinished.chmod(0o755)
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return parts


def _written(
    home: Home,
    selection: Selection,
    parts: Parts,
    assets: Sequence[Asset],
    exchanges: Sequence[Exchange],
    lab: Lab,
) -> Parts:
    name = crate_name(selection)
    folders: dict[str, Node] = {}
    _put_raw(home, selection, parts, folders)
    for table_name, rows in selection.tables.items():
        table = selection.declared[table_name]
        parts.put(table_path(table_name), as_parquet(table, rows), f"{table.description} One row: {table.grain}.")
    parts.put("tables/columns.csv", _columns(selection), "type, unit and meaning of every column of every table")
    parts.put("results.csv", _results_csv(selection), "the numbers with their uncertainties")
    for table_name in AS_CSV:
        if table_name in selection.tables:
            parts.put(f"{table_name}.csv", _csv(selection.rows(table_name)), selection.declared[table_name].description)
    _put_arrays(home, selection, parts, folders)
    _put_pages(home, selection, parts)
    for exchange in exchanges:
        for extra in exchange(selection):
            parts.put(f"exchange/{extra.path}", extra.content, extra.says)
    for row in selection.rows("environment"):
        lock = f"environment/{row['environment_id']}.txt"
        parts.put(lock, _lock(row), "the environment that numbers were made with, as pip takes it")
    parts.put("prov.json", prov_json(selection, lab, name), "the lineage as W3C PROV (PROV-JSON)")
    parts.put(WORKFLOW, _workflow(assets), "the assets of rutile_assets: what each reads and writes")
    parts.put("CITATION.cff", _citation(selection, lab, name), "how to cite")
    parts.put("licence.md", f"# Terms\n\n{lab.terms}\n", "the terms on which these data may be used")
    parts.put("README.md", readme(selection, lab, name), "what is in this crate and how to read it")
    parts.put("ro-crate-preview.html", preview(selection, lab, name, parts), "the crate for a browser")
    said = f"{'SIMULATED DATA. ' if selection.is_simulated else ''}{_said(selection)}"
    crate = Crate(name, said, selection, parts, lab, assets, folders)
    content = metadata(crate)
    described = Parts(parts.folder)
    described.put(METADATA, content, "RO-Crate metadata")
    manifest = "".join(sorted([*parts.manifest().splitlines(True), *described.manifest().splitlines(True)]))
    (parts.folder / MANIFEST).write_text(manifest, encoding="utf-8")
    return parts


def table_path(name: str) -> str:
    """Return where a table stands in a crate."""
    return f"{'provenance' if name in RECORDS else 'tables'}/{name}.parquet"


def crate_name(selection: Selection) -> str:
    """Return the crate's name."""
    films = selection.growth_ids
    listed = ", ".join(films) if len(films) <= 4 else f"{films[0]} to {films[-1]}, {len(films)} films"
    return f"Thin films {listed}"


def as_parquet(table: Table, rows: arrow.Table) -> bytes:
    """Return rows as Parquet; units and meanings stand in the fields' metadata and, as JSON, in the file's."""
    columns = {c.name: {"unit": c.unit or "", "description": c.description, "type": c.type} for c in table.columns}
    said = {**(rows.schema.metadata or {}), b"description": table.description.encode(),
            b"columns": json.dumps(columns, ensure_ascii=False).encode()}  # fmt: skip
    sink = io.BytesIO()
    parquet.write_table(rows.replace_schema_metadata(said), sink, compression="zstd")
    return sink.getvalue()


def array_references(selection: Selection) -> list[str]:
    """Return the arrays that rows refer to."""
    found: set[str] = set()
    for name, table in selection.declared.items():
        for column in array_columns(table):
            found |= set(selection.tables[name].column(column).to_pylist())
    return sorted(reference for reference in found if reference)


def array_columns(table: Table) -> list[str]:
    """Return the columns of a table that refer to arrays."""
    return [
        column.name
        for column in table.columns
        if column.type == "text" and (column.name in ("array", "frames") or column.name.endswith("_array"))
    ]


def _put_raw(home: Home, selection: Selection, parts: Parts, folders: dict[str, Node]) -> None:
    growths = {row["growth_id"]: row for row in selection.rows("growth")}
    for row in selection.rows("raw_file"):
        place = selection.places.get(row["file_id"])
        if place is None:
            continue
        source = vault.path_of(home.vault, row["sha256"])
        name = f"{row['growth_id']}/{row['original_path']}"
        if not source.is_file():
            raise UnreadableFile(
                "no bytes in the vault", f"those with sha256 {row['sha256'][:12]}",
                "Restore the vault from its backup.", name,
            )  # fmt: skip
        part = parts.put(place, source, f"{row['technique']}: {row['reader']}, as it came")
        if part.sha256 != row["sha256"]:
            raise UnreadableFile(
                f"bytes in the vault with sha256 {part.sha256[:12]}", f"{row['sha256'][:12]}, as they came",
                "Restore the vault from its backup.", name,
            )  # fmt: skip
    for growth_id in selection.growth_ids:
        growth = growths.get(growth_id)
        made = growth["grown_at"] if growth and growth["grown_at"] else selection.newest
        folders[f"raw/{growth_id}"] = {
            "name": growth_id, "genre": "experiment", "dateCreated": made.isoformat(timespec="seconds"),
            "description": _of_film(growth), "keywords": f"{growth['origin']}, {growth['series']}" if growth else None,
        }  # fmt: skip


def _of_film(growth: dict[str, Any] | None) -> str:
    if growth is None:
        return "Raw files of a film whose growth was never read."
    return f"{'SIMULATED. ' if growth['origin'] == 'simulated' else ''}Raw files of the film {growth['stack']}."


def _put_arrays(home: Home, selection: Selection, parts: Parts, folders: dict[str, Node]) -> None:
    for reference in array_references(selection):
        folder = home.arrays / f"{reference}.zarr"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise InvalidRecord(f"no array {reference!r}", "an array of this home", "Run the asset again: rutile run.")
        place = f"arrays/{reference}.zarr"
        for path in files:
            parts.put(f"{place}/{path.relative_to(folder).as_posix()}", path, f"a piece of the array {reference}")
        folders[place] = {"name": reference, "description": "an array in Zarr 3 that rows of the tables refer to"}


def _put_pages(home: Home, selection: Selection, parts: Parts) -> None:
    """Put the films' pages and figures as they stand, links to the vault turned to the raw files of the crate."""
    places = {row["sha256"]: selection.places[row["file_id"]] for row in selection.rows("raw_file")
              if row["file_id"] in selection.places}  # fmt: skip
    for growth_id in selection.growth_ids:
        folder = home.reports / "films" / growth_id
        for path in sorted(folder.glob("*")):
            place = f"pages/films/{growth_id}/{path.name}"
            if path.suffix in (".svg", ".png"):
                parts.put(place, path, f"{path.stem} of {growth_id}")
            elif path.name == "data.js":
                parts.put(place, path, f"numbers and curves that the page of {growth_id} draws")
            elif path.name == "index.html":
                parts.put(place, _page(path.read_text(encoding="utf-8"), places), f"the page of {growth_id}")
    if any(part.path.endswith("/index.html") for part in parts):
        for path in sorted((home.reports / "assets").glob("*")):
            if path.name not in ("numbers.js", "texts.js"):
                parts.put(f"pages/assets/{path.name}", path, "style and scripts of the pages")
    if selection.is_closed:
        _put_figures_across(home, selection, parts)


def _put_figures_across(home: Home, selection: Selection, parts: Parts) -> None:
    spanning = {row["asset"] for row in selection.rows("entity") if row["growth_id"] is None}
    for path in sorted((home.reports / "series").glob("*")):
        if path.stem in spanning and path.suffix in (".svg", ".png"):
            parts.put(f"pages/series/{path.name}", path, f"{path.stem} of all films")
    printed = prints_path(home)
    for path in sorted(printed.rglob("*")) if spanning else ():
        if path.is_file() and not path.name.startswith("."):
            parts.put(f"figures/{path.relative_to(printed).as_posix()}", path, "a figure made for print")


def _page(html: str, places: dict[str, str]) -> str:
    def place(link: re.Match[str]) -> str:
        return f"../../../{places[link[1]]}" if link[1] in places else "#not-in-this-crate"

    html = _VAULT_LINK.sub(place, html)
    html = re.sub(r'href="\.\./\.\./compare\.html[^"]*"', 'href="../../../ro-crate-preview.html"', html)
    return html.replace('href="../../index.html', 'href="../../../ro-crate-preview.html')


def _columns(selection: Selection) -> str:
    return _csv(
        [
            {"table": name, "column": c.name, "type": c.type, "unit": c.unit or "", "may_be_null": c.nullable,
             "meaning": c.description}
            for name, table in sorted(selection.declared.items())
            for c in table.columns
        ]
    )  # fmt: skip


def _results_csv(selection: Selection) -> str:
    return _csv([{name: row[name] for name in RESULTS_CSV} for row in selection.rows("result")])


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _lock(row: dict[str, Any]) -> str:
    packages = "".join(f"{name}=={version}\n" for name, version in json.loads(row["packages"]).items())
    return f"# Python {row['python']} on {row['platform']}, {row['device']}\n{packages}"


def _workflow(assets: Sequence[Asset]) -> str:
    listed = [
        {"name": a.name, "room": a.room, "description": a.description, "reads_files_of": a.files,
         "reads": list(a.reads), "writes": [table.name for table in a.writes], "spans_films": a.spans_films}
        for a in assets
    ]  # fmt: skip
    return json.dumps(listed, indent=1, ensure_ascii=False) + "\n"


def _citation(selection: Selection, lab: Lab, name: str) -> str:
    cited: dict[str, Any] = {
        "cff-version": "1.2.0", "type": "dataset", "title": name,
        "message": "If these data helped your work, cite them.",
        "authors": [{"name": lab.name, **({"website": lab.url} if lab.url else {})}],
        "date-released": f"{selection.newest:%Y-%m-%d}",
    }  # fmt: skip
    if lab.license_url and lab.license and not lab.license.startswith("http"):
        cited["license"] = lab.license
    software = {"type": "software", "title": "rutile_assets", "version": __version__, "license": "Apache-2.0",
                "authors": [{"name": "The rutile_assets maintainers"}]}  # fmt: skip
    cited["references"] = [software]
    return yaml.safe_dump(cited, sort_keys=False, allow_unicode=True)


def _said(selection: Selection) -> str:
    return (
        f"{len(selection.growth_ids)} thin films: raw instrument files, tables with units,"
        f" {len(selection.rows('result'))} numbers with uncertainties, and the lineage of each number down to the"
        " bytes of its files."
    )
