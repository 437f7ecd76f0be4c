"""The command `rutile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rutile_assets import __version__
from rutile_assets.commands import campaign, lake
from rutile_assets.commands.crate import export, import_
from rutile_assets.commands.diff import diff
from rutile_assets.commands.figures import figures
from rutile_assets.commands.gc import gc
from rutile_assets.commands.notes import note, search
from rutile_assets.commands.pages import pages
from rutile_assets.commands.printing import PATH, stop
from rutile_assets.commands.stale import stale
from rutile_assets.commands.trace import trace
from rutile_assets.commands.verify import verify
from rutile_assets.errors import RutileError


class _Group(click.Group):
    """Turns an error that a person can act on into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RutileError as fault:
            stop(str(fault))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="rutile")
@click.option(
    "--home", type=PATH, envvar="RUTILE_HOME", default=".rutile", show_default=True,
    help="The lab's folder: inbox, vault, lake, arrays, reports and the Dagster home. Also RUTILE_HOME.",
)  # fmt: skip
@click.pass_context
def main(ctx: click.Context, home: Path) -> None:
    """From instrument files of thin films to numbers with error bars that lead back to the bytes.

    \b
    A first session:
      rutile simulate demo                   a small campaign in the vendors' file formats
      rutile ingest demo/inbox               a verdict for every file
      rutile run                             tables, fits and pages, through Dagster
      rutile sql "FROM results WHERE is_current"
      rutile trace SIM-F035 total_thickness_nm

    Your own film: make inbox/<growth_id>/ in the home, write growth.yaml there (docs/growth.md), put the
    instrument files beside it in any sub-folders (xrr/, afm/, kpfm/, transport/), then `rutile ingest` and
    `rutile run`, or leave both to the Dagster daemon (`make ui`).
    """  # noqa: D301
    ctx.obj = home


COMMANDS = (
    lake.ingest,
    lake.inspect,
    lake.run,
    lake.sql,
    lake.doctor,
    stale,
    trace,
    verify,
    diff,
    pages,
    figures,
    export,
    import_,
    note,
    search,
    gc,
    campaign.simulate,
    campaign.score,
    campaign.demo,
)
for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
