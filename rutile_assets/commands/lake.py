"""Commands that fill the lake and ask it: ingest, inspect, run, sql, doctor."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from rich.console import Console

from rutile_assets.commands.printing import FILMS, FORMAT, OUT, PATH, PROCESSES, bar, open_home, put_table, stop
from rutile_assets.commands.stale import stale_relation

REJECTED = 3


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH)
@click.option("--growth", type=PATH, help="Folder with the growth.yaml of the film that all these files belong to.")
@click.pass_obj
def ingest(home: Path, paths: tuple[Path, ...], growth: Path | None) -> None:
    """Take files and folders in: bytes to the vault, a verdict for each file.

    A file's film is named by the growth.yaml beside it or above it. Its technique is what its content says, or
    else its folder's name. What is refused is a row of the view rejected_files and lies in the vault all the same.

    \b
    Exit code: 0 every file accepted (or known already), 3 some rejected.
    """  # noqa: D301
    from rutile_assets.provenance.context import RunContext  # noqa: PLC0415

    house = open_home(home)
    with bar("reading files") as tell:
        verdicts = house.ingest(
            paths, RunContext("cli"), growth_folder=growth.absolute() if growth else None, progress=tell
        )
    out = Console(soft_wrap=True, highlight=False)
    colour = {"accepted": "green", "known": "dim", "rejected": "red"}
    for v in verdicts:
        where = f"{v.growth_id or '-'}  {v.technique or '-'}"
        out.print(f"[{colour[v.status]}]{v.status:9}[/] {where}  ", end="")
        out.print(v.sentence if v.status == "rejected" else f"{v.path.name}: {v.sentence}", markup=False)
    counts = {status: sum(v.status == status for v in verdicts) for status in colour}
    out.print(", ".join(f"{count} {status}" for status, count in counts.items()))
    sys.exit(REJECTED if counts["rejected"] else 0)


@click.command()
@click.argument("file", type=PATH)
def inspect(file: Path) -> None:
    """Show what is in an instrument file: format, technique, channels with ranges and units, settings.

    Needs no lake and changes nothing. A sidecar (FILE.yaml, settings.yaml) beside the file is honoured.
    """
    from rutile_assets.formats.describe import describe  # noqa: PLC0415
    from rutile_assets.formats.measurement import Source  # noqa: PLC0415
    from rutile_assets.ops.inbox import Dropped, declared_for  # noqa: PLC0415
    from rutile_assets.provenance.materialize import read_declared  # noqa: PLC0415

    if not file.is_file():
        stop(f"{file}: found no such file; expected an instrument file. Check the path.")
    declared, _ = declared_for(Dropped(file.absolute(), None))
    for line in describe(read_declared(Source(file, file.name, declared))):
        click.echo(line)


@click.command()
@FILMS
@click.option("--select", help="Only these assets, in Dagster's syntax: xrr_fit, group:xrr, key:xrr_scan+")
@click.option("--all", "everything", is_flag=True, help="Also what is not stale.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed and why, and stop.")
@PROCESSES
@click.pass_obj
def run(home: Path, films: str | None, select: str | None, everything: bool, dry_run: bool, processes: int) -> None:
    """Compute what is stale: new or replaced files, changed code, constants or parameters, changed upstream.

    \b
    Exit code: 0 done (or nothing to do), 1 an asset failed; the others are computed all the same.
    """  # noqa: D301
    from rutile_assets.ops import parallel, runner  # noqa: PLC0415

    house = open_home(home)
    work = runner.plan(house, films.split(",") if films else None, select, everything=everything)
    if dry_run:
        for stale in work:
            click.echo(f"{stale.growth_id or 'all films'}  {stale.asset}  {'; '.join(stale.reasons)}")
    if not work:
        click.echo("nothing is stale")
    if not work or dry_run:
        return
    with bar("computing") as tell:
        tell(0, len(work), "")
        done = iter(range(1, len(work) + 1000))
        report = parallel.run(
            house, work, processes, lambda film, asset: tell(next(done), len(work), f"{film} {asset}")
        )
    click.echo(f"{report.done} computed, {len(report.failures)} failed; pages: {house.home.reports / 'index.html'}")
    for failure in report.failures:
        click.echo(failure, err=True)
    sys.exit(1 if report.failures else 0)


@click.command()
@click.argument("query")
@FORMAT
@click.option("--at", type=int, help="The lake as it was at this snapshot.")
@OUT
@click.pass_obj
def sql(home: Path, query: str, form: str, at: int | None, out: Path | None) -> None:
    """Ask the lake in SQL, read-only. Views: results, rejected_files, film_passport, lineage_edge, stale, ...

    `stale` is worked out from the code in use when a query names it; the macros trace_of, files_of (of a result_id)
    and resting_on (of a file_id) walk the lineage.

    \b
      rutile sql "SELECT growth_id, value, sigma FROM results WHERE quantity = 'total_thickness_nm' AND is_current"
      rutile sql "SELECT asset, root_cause, count(*) AS films FROM stale GROUP BY ALL"
      rutile sql "SHOW ALL TABLES"
      rutile sql "DESCRIBE xrr_fit_layer"
    """  # noqa: D301
    from rutile_assets.lake.tables import fetch  # noqa: PLC0415

    house = open_home(home)
    reader = house.lake.reader(at)
    if re.search(r"\bstale\b", query, re.IGNORECASE):
        if at is not None:
            stop("found `stale` with --at; expected the present lake: what is out of date is told by the code in use.")
        reader.register("stale", stale_relation(house))
    put_table(fetch(reader, query), form, out)


@click.command()
@click.pass_obj
def doctor(home: Path) -> None:
    """Check versions, extensions, device, disk and home. Exit code 1 if something is wrong."""
    from rutile_assets.ops.doctor import examine  # noqa: PLC0415

    findings = examine(open_home(home))
    for sound, what, found in findings:
        click.echo(f"{'ok   ' if sound else 'WRONG'}  {what}: {found}")
    sys.exit(0 if all(sound for sound, _, _ in findings) else 1)
