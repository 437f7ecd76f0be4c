"""What the commands share: the home they work on, a bar, tables, and how they stop."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

PATH = click.Path(path_type=Path)
PROCESSES = click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="How many films at a time."
)
FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True,
    help="How to print; parquet needs --out or a pipe.",
)  # fmt: skip
OUT = click.option("--out", type=PATH, help="Write here instead of to the screen.")
FILMS = click.option("--films", help="Only these growth_ids, separated by commas.")


def open_home(home: Path) -> Any:
    """Return the home with its lake open (`rutile_assets.ops.house.House`)."""
    from rutile_assets.ops.house import open_house  # noqa: PLC0415 - `rutile --help` answers at once without it

    return open_house(home)


@contextmanager
def bar(what: str) -> Iterator[Any]:
    """Show a bar on stderr; gives a function of (done, total, name)."""
    columns = (
        TextColumn("{task.fields[what]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task("", what=what, name="", total=None)
        yield lambda done, total, name: progress.update(task, completed=done, total=total, name=name)


def rows_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> RichTable:
    """Return a table of these columns of the rows, numbers to the right."""
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = any(isinstance(row.get(column), float) for row in rows)
        shown.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*[_cell(column, row.get(column)) for column in columns])
    return shown


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2g}" if column in ("sigma", "residual", "pull") else f"{value:.5g}"
    return str(value)


def sigma_text(sigma: float | None) -> str:
    """Return an uncertainty to two digits, or that it is unknown."""
    return "unknown" if sigma is None else f"{sigma:.2g}"


def print_table(table: Any) -> None:
    """Print an Arrow table and how many rows it has."""
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in table.column_names:
        shown.add_column(name, overflow="fold")
    for row in table.to_pylist():
        shown.add_row(*["" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in row.values()])
    wide().print(shown)
    click.echo(f"{table.num_rows} rows")


def put_table(table: Any, form: str, out: Path | None) -> None:
    """Print an Arrow table as `FORMATS` says, or write it to a file."""
    if form == "table" and out is None:
        print_table(table)
        return
    sink = io.BytesIO()
    if form == "parquet":
        if out is None and sys.stdout.isatty():
            stop("found a terminal; expected a file for Parquet. Add --out FILE.")
        pyarrow.parquet.write_table(table, sink)
    elif form == "json":
        sink.write(json.dumps(table.to_pylist(), default=str, indent=1).encode() + b"\n")
    else:
        pyarrow.csv.write_csv(table, sink)
    if out is not None:
        out.write_bytes(sink.getvalue())
    else:
        click.echo(sink.getvalue(), nl=False)


def wide() -> Console:
    """Return a console that folds to a terminal's width and lets a pipe or a file have whole lines."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 2000)


def stop(sentence: str) -> NoReturn:
    """Say one sentence on stderr and exit with 2."""
    click.echo(sentence, err=True)
    sys.exit(2)
