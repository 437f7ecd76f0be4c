"""The command `rutile figures`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rutile_assets.commands.printing import PATH, open_home


@click.command()
@click.option("--out", type=PATH, help="Write here instead of to reports/figures.")
@click.pass_obj
def figures(home: Path, out: Path | None) -> None:
    """Draw the figures for print, SVG, PDF and PNG, from the tables as they are; nothing is computed.

    `rutile run` draws them too, where what they show has changed. Each file names the activity that its tables rest
    on, so a figure that is out of date is left out and said.

    \b
    Exit code: 0 drawn, 1 some are out of date or were never computed: rutile run.
    """  # noqa: D301
    from rutile_assets.ops.redraw import redraw  # noqa: PLC0415
    from rutile_assets.results.passport import write_index  # noqa: PLC0415

    house = open_home(home)
    drawn = redraw(house, out)
    if out is None:
        write_index(house.lake, house.home)
    for sentence in (*drawn.lacks, *drawn.left_out):
        click.echo(sentence, err=sentence in drawn.left_out)
    click.echo(f"{drawn.files} files in {drawn.folder}")
    sys.exit(1 if drawn.left_out else 0)
