"""The command `rutile trace`: from a number back to bytes, and from a file to its numbers."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pyarrow as arrow
from rich.tree import Tree

from rutile_assets.commands.printing import FORMAT, OUT, PATH, bar, open_home, put_table, sigma_text, stop, wide

STEP_COLUMNS = (
    "result_id", "quantity", "subject", "depth", "kind", "asset", "growth_id", "original_path", "sha256",
    "data_version", "entity_id",
)  # fmt: skip
WHY_COLUMNS = (
    "activity_id", "code_version", "parameters", "seed", "snapshot", "started_at", "wall_time_s", "reader", "python",
    "platform", "environment_id", "git_commit", "git_dirty", "trigger",
)  # fmt: skip
NUMBER_COLUMNS = ("growth_id", "series", "quantity", "subject", "value", "sigma", "unit", "is_current", "result_id")


@click.command()
@click.argument("what")
@click.argument("quantity", required=False)
@click.option(
    "--why", is_flag=True, help="Also parameters, code version, environment, commit and snapshot of each step."
)
@click.option("--table", "as_table", is_flag=True, help="One row a step instead of a tree; --format says how.")
@FORMAT
@OUT
@click.option("--picture", type=PATH, help="Draw the lineage into this .svg or .html file.")
@click.option(
    "--page", is_flag=True, help="Write the film's or the series' page and say where the number stands on it."
)
@click.option("--raw", type=PATH, help="Write the raw files that it rests on into this folder, hashes checked.")
@click.pass_obj
def trace(
    home: Path, what: str, quantity: str | None, why: bool, as_table: bool, form: str, out: Path | None,
    picture: Path | None, page: bool, raw: Path | None,
) -> None:  # fmt: skip
    """Follow a number back to its bytes, or a file forward to its numbers.

    \b
      rutile trace MBE-0142 total_thickness_nm     the tree from the number down to raw files and sha256
      rutile trace RuO2/TiO2 bulk_conductivity_s_per_cm   a number of a series; its films stand as groups
      rutile trace 118283456789012                 a number by its result_id, or a version by its entity_id
      rutile trace MBE-0142/xrr/scan.rasx          every number that rests on this file (also by sha256)
      rutile trace MBE-0142 total_thickness_nm --why --table --format csv
      rutile trace MBE-0142 total_thickness_nm --picture lineage.svg --raw originals/
    """  # noqa: D301
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    house = open_home(home)
    named = quantity is not None or _is_number(house.lake, what)
    numbers = _numbers(house.lake, what, quantity) if named else provenance.forward(house.lake, what)
    if picture is not None:
        from rutile_assets.results.passport.picture import picture_of_file, picture_of_numbers  # noqa: PLC0415

        drawn = picture_of_numbers(house.lake, numbers) if named else picture_of_file(house.lake, what)
        drawn.write(picture)
        click.echo(f"picture: {picture}", err=True)
    if page:
        _write_page(house, numbers)
    if raw is not None:
        _write_raw(house, numbers if named else [], raw, what)
    if not named:
        rows = [{column: row.get(column) for column in NUMBER_COLUMNS} for row in numbers]
        put_table(arrow.Table.from_pylist(rows), form, out)
    elif as_table or form != "table" or out is not None:
        put_table(_steps_table(house.lake, numbers, why=why), form, out)
    else:
        for row in numbers:
            _print_tree(house.lake, row, why=why)


def _is_number(lake: Any, what: str) -> bool:
    if not what.isdigit() or len(what) > 18:
        return False
    asked = "SELECT 1 FROM lake.result WHERE result_id = $1 UNION ALL SELECT 1 FROM lake.entity WHERE entity_id = $1"
    return bool(lake.rows(asked, [int(what)]))


def _numbers(lake: Any, what: str, quantity: str | None) -> list[dict[str, Any]]:
    """Return rows of `results`; of an entity, one row that has its id and no number."""
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    if quantity is not None:
        return provenance.results_named(lake, what, quantity)
    found = provenance.result_numbered(lake, int(what))
    if found is not None:
        return [found]
    entity = lake.rows("SELECT entity_id, asset, growth_id FROM lake.entity WHERE entity_id = ?", [int(what)])[0]
    return [{**entity, "file_id": None, "result_id": None, "quantity": None, "subject": "", "series": None}]


def _steps_table(lake: Any, numbers: list[dict[str, Any]], *, why: bool) -> arrow.Table:
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    columns = STEP_COLUMNS + (WHY_COLUMNS if why else ())
    tables = []
    for row in numbers:
        steps = provenance.lineage_of(lake, [row["entity_id"]], row["file_id"]).steps
        of = {name: row[name] for name in ("result_id", "quantity", "subject")}
        tables.append(arrow.Table.from_pandas(steps.assign(**of)[list(columns)], preserve_index=False))
    return arrow.concat_tables(tables, promote_options="permissive").replace_schema_metadata(None)


def _print_tree(lake: Any, row: dict[str, Any], *, why: bool) -> None:
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    if row["growth_id"] is None:
        wide().print(_group_tree(provenance.grouped(lake, [row["entity_id"]]), _title(lake, row)))
        click.echo("films stand as groups; --table lists every version and file")
        return
    step = provenance.tree_of(provenance.lineage_of(lake, [row["entity_id"]], row["file_id"]), row["entity_id"])
    title = _title(lake, row) + (_why(step.details) if why else "")
    wide().print(_tree(step, Tree(title, highlight=False), set(), why=why))


def _title(lake: Any, row: dict[str, Any]) -> str:
    asset = lake.rows("SELECT asset FROM lake.entity WHERE entity_id = ?", [row["entity_id"]])[0]["asset"]
    if row["quantity"] is None:
        return f"version {row['entity_id']} of {asset}"
    subject = f" of {row['subject']}" if row["subject"] else ""
    said = f"{row['quantity']}{subject} = {row['value']:.6g} ± {sigma_text(row['sigma'])} {row['unit']}"
    old = "" if row["is_current"] else ", not the newest version"
    return f"{said}  ({row['method']}; {asset}, result {row['result_id']}{old})"


def _tree(step: Any, tree: Tree, shown: set[int], *, why: bool) -> Tree:
    """Add what a step was made from; what stood above already is named again without its own parents."""
    for parent in step.parents:
        details = parent.details
        if parent.kind == "raw_file":
            text = f"{details['growth_id']}/{details['original_path']}  sha256 {details['sha256']}"
        else:
            text = f"{parent.asset}  data {details['data_version']}"
        again = parent.entity_id in shown and bool(parent.parents)
        text += "  (as above)" if again else _why(details) if why else ""
        branch = tree.add(text, highlight=False)
        if not again:
            shown.add(parent.entity_id)
            _tree(parent, branch, shown, why=why)
    return tree


def _why(details: dict[str, Any]) -> str:
    """Tell how a step was made: its code, commit, machine, snapshot and parameters, a line each where there is one."""
    commit = f"  commit {details['git_commit'][:12]}" if details["git_commit"] else ""
    changed = " with changes" if details["git_dirty"] else ""
    when = f", {details['started_at']:%Y-%m-%d %H:%M:%S} UTC, by {details['trigger']}" if details["started_at"] else ""
    snapshot = f", snapshot {int(details['snapshot'])}" if details["snapshot"] is not None else ""
    machine = f"python {details['python']}, packages {details['environment_id']}, {details['platform']}"
    lines = [
        f"code {details['code_version']}{commit}{changed}" if details["code_version"] else "",
        machine if details["python"] else "",
        f"activity {details['activity_id']}{when}{snapshot}",
        f"read as {details['reader']}" if details["reader"] else "",
        f"parameters {details['parameters']}" if details["parameters"] not in (None, "{}") else "",
    ]
    return "".join(f"\n  {line}" for line in lines if line)


def _group_tree(groups: Any, title: str) -> Tree:
    """Return the tree of an asset that spans films: each asset once, with how many films and versions it stands for."""
    counts = {(row["kind"], row["asset"]): row for row in groups.steps}
    below: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for link in groups.links:
        below[link["child_kind"], link["child"]].append((link["parent_kind"], link["parent"]))
    start = next(key for key in counts if key not in {parent for parents in below.values() for parent in parents})
    shown: set[tuple[str, str]] = set()

    def add(key: tuple[str, str], tree: Tree) -> Tree:
        for parent in sorted(below[key]):
            row = counts[parent]
            what = f"raw files of {row['asset']}" if row["kind"] == "raw_file" else row["asset"]
            number = f"{row['entities_count']} " + ("files" if row["kind"] == "raw_file" else "versions")
            text = f"{what}  {number} of {row['films_count']} films" if row["films_count"] else what
            again = parent in shown and bool(below[parent])
            branch = tree.add(text + ("  (as above)" if again else ""), highlight=False)
            if not again:
                shown.add(parent)
                add(parent, branch)
        return tree

    return add(start, Tree(title, highlight=False))


def _write_page(house: Any, numbers: list[dict[str, Any]]) -> None:
    from rutile_assets.results.passport import page_path, write_pages  # noqa: PLC0415
    from rutile_assets.results.passport.series_lineage import series_path, write_series_lineage  # noqa: PLC0415
    from rutile_assets.rooms import ROOMS  # noqa: PLC0415

    films = sorted({row["growth_id"] for row in numbers if row["growth_id"] is not None})
    write_pages(house.lake, house.home, ROOMS, films, everything=False)
    if any(row["growth_id"] is None for row in numbers):
        write_series_lineage(house.lake, house.home)
    for row in numbers:
        path = (
            series_path(house.home, row["series"])
            if row["growth_id"] is None
            else page_path(house.home, row["growth_id"])
        )
        click.echo(f"page: {path}#picture-number-{row['result_id']}", err=True)


def _write_raw(house: Any, numbers: list[dict[str, Any]], out: Path, what: str) -> None:
    from rutile_assets.lake import vault  # noqa: PLC0415
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415
    from rutile_assets.provenance.originals import Original, write_originals  # noqa: PLC0415

    if numbers:
        files = [
            row
            for number in numbers
            for row in provenance.records(
                provenance.lineage_of(house.lake, [number["entity_id"]], number["file_id"]).steps
            )
            if row["kind"] == "raw_file"
        ]
    else:
        files = [
            {**row, "entity_id": row["file_id"], "asset": row["technique"]}
            for row in provenance.files_named(house.lake, what)
        ]
    wanted: dict[tuple[str, str], Original] = {}
    for row in files:
        file = Original(
            row["entity_id"], row["growth_id"], row["original_path"], row["sha256"], row["asset"],
            vault.path_of(house.home.vault, row["sha256"]),
        )  # fmt: skip
        before = wanted.setdefault((file.growth_id, file.original_path), file)
        if before.sha256 != file.sha256:
            stop(
                f"found two versions of {file.name} behind {what}; expected one. Name one number by its result_id,"
                " or one version by its sha256."
            )
    with bar("writing") as tell:
        write_originals(list(wanted.values()), out, tell)
    click.echo(f"{len(wanted)} files, each with the bytes that its sha256 says, in {out}", err=True)
