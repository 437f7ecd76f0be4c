"""The command `rutile gc`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.filesize import decimal

from rutile_assets.commands.printing import open_home, rows_table, wide

COLUMNS = ("what", "now", "bytes", "after", "bytes after", "how")


@click.command()
@click.option("--yes", is_flag=True, help="Do it. Without it nothing is changed: a dry run.")
@click.option(
    "--keep-days", type=click.IntRange(min=1), default=30, show_default=True,
    help="Snapshots younger than this stay, whatever refers to them.",
)  # fmt: skip
@click.option(
    "--at-once", is_flag=True,
    help="Delete files as they go out of use, not an hour later: nobody else may be reading the lake.",
)  # fmt: skip
@click.pass_obj
def gc(home: Path, yes: bool, keep_days: int, at_once: bool) -> None:
    """Tidy the lake: merge small files, let go of old snapshots that nothing refers to, and of what only they show.

    Kept: the snapshot that every current version, and everything upstream of it, was read at; numbers and lineage of
    every version; arrays that any row of a kept file names. Never touched: the vault, the reports, the inbox.
    Others may read and write meanwhile; docs/retention.md says how.
    """
    from rutile_assets.ops.gc import collect  # noqa: PLC0415

    lines = [asdict(line) for line in collect(open_home(home), yes=yes, keep_days=keep_days, at_once=at_once)]
    rows = [
        {
            "what": line["what"], "now": str(line["count"]), "bytes": _size(line["bytes"]),
            "after": _text(line["count_after"]), "bytes after": _size(line["bytes_after"]), "how": line["said"],
        }
        for line in lines
    ]  # fmt: skip
    wide().print(rows_table(rows, COLUMNS))
    if not yes:
        click.echo("dry run: nothing was changed; add --yes")


def _text(count: int | None) -> str:
    return "" if count is None else str(count)


def _size(count: int | None) -> str:
    return "" if count is None else decimal(count)
