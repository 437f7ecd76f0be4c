"""The command `rutile`."""

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
from rich.tree import Tree

from rutile_assets import __version__
from rutile_assets.errors import RutileError

REJECTED = 3
PATH = click.Path(path_type=Path)
SMALL_DEMO = 8
SHOWN = (  # of a small demo, one by one; `rutile score --details` shows all
    "total_thickness_nm", "planes_count", "relaxation_001_fraction", "roughness_sq_pm", "v_cpd_v", "work_function_ev",
    "sheet_resistance_ohm", "sheet_density_per_cm2",
)  # fmt: skip
SCORED = ("growth_id", "quantity", "subject", "value", "sigma", "truth", "residual", "pull", "unit")
PROCESSES = click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="How many films at a time."
)


class _Group(click.Group):
    """Turns an error that a person can act on into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RutileError as fault:
            _stop(str(fault))


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


@main.command()
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

    house = _house(home)
    with _bar("reading files") as tell:
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


@main.command()
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
        _stop(f"{file}: found no such file; expected an instrument file. Check the path.")
    declared, _ = declared_for(Dropped(file.absolute(), None))
    for line in describe(read_declared(Source(file, file.name, declared))):
        click.echo(line)


@main.command()
@click.option("--films", help="Only these growth_ids, separated by commas.")
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

    house = _house(home)
    work = runner.plan(house, films.split(",") if films else None, select, everything=everything)
    if dry_run:
        for stale in work:
            click.echo(f"{stale.growth_id or 'all films'}  {stale.asset}  {'; '.join(stale.reasons)}")
    if not work:
        click.echo("nothing is stale")
    if not work or dry_run:
        return
    with _bar("computing") as tell:
        tell(0, len(work), "")
        done = iter(range(1, len(work) + 1000))
        report = parallel.run(
            house, work, processes, lambda film, asset: tell(next(done), len(work), f"{film} {asset}")
        )
    click.echo(f"{report.done} computed, {len(report.failures)} failed; pages: {house.home.reports / 'index.html'}")
    for failure in report.failures:
        click.echo(failure, err=True)
    sys.exit(1 if report.failures else 0)


@main.command()
@click.argument("query")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True,
    help="How to print; parquet needs --out or a pipe.",
)  # fmt: skip
@click.option("--at", type=int, help="The lake as it was at this snapshot.")
@click.option("--out", type=PATH, help="Write here instead of to the screen.")
@click.pass_obj
def sql(home: Path, query: str, form: str, at: int | None, out: Path | None) -> None:
    """Ask the lake in SQL, read-only. Views: results, rejected_files, film_passport, lineage_edge, ...

    \b
      rutile sql "SELECT growth_id, value, sigma FROM results WHERE quantity = 'total_thickness_nm' AND is_current"
      rutile sql "SHOW ALL TABLES"
      rutile sql "DESCRIBE xrr_fit_layer"
    """  # noqa: D301
    from rutile_assets.lake.tables import fetch  # noqa: PLC0415

    table = fetch(_house(home).lake.reader(at), query)
    if form == "table" and out is None:
        _print_table(table)
        return
    sink = io.BytesIO()
    if form == "parquet":
        if out is None and sys.stdout.isatty():
            _stop("found a terminal; expected a file for Parquet. Add --out FILE.")
        pyarrow.parquet.write_table(table, sink)
    elif form == "json":
        sink.write(json.dumps(table.to_pylist(), default=str, indent=1).encode() + b"\n")
    else:
        pyarrow.csv.write_csv(table, sink)
    if out is not None:
        out.write_bytes(sink.getvalue())
    else:
        click.echo(sink.getvalue(), nl=False)


@main.command()
@click.argument("what")
@click.argument("quantity", required=False)
@click.option("--why", is_flag=True, help="Also parameters, code version and snapshot of every step.")
@click.pass_obj
def trace(home: Path, what: str, quantity: str | None, why: bool) -> None:
    """Follow a number back to its bytes, or a file forward to its numbers.

    \b
      rutile trace MBE-0142 total_thickness_nm     the tree from the number down to raw files and sha256
      rutile trace MBE-0142/xrr/scan.rasx          every number that rests on this file (also by sha256)
    """  # noqa: D301
    from rutile_assets.provenance import trace as provenance  # noqa: PLC0415

    lake = _house(home).lake
    if quantity is None:
        rows = provenance.forward(lake, what)
        columns = ("growth_id", "quantity", "subject", "value", "sigma", "unit", "is_current")
        _wide().print(_rows_table(rows, columns))
        return
    for row in provenance.results_named(lake, what, quantity):
        subject = f" of {row['subject']}" if row["subject"] else ""
        title = f"{quantity}{subject} = {row['value']:.6g} ± {_sigma(row['sigma'])} {row['unit']}  ({row['method']})"
        step = provenance.back(lake, row["entity_id"])
        _wide().print(_tree(step, Tree(title), why=why, only_file=row["file_id"]))


@main.command()
@click.argument("out", type=PATH)
@click.option(
    "--films", type=click.IntRange(min=1), help="How many samples of the plan; it goes on beyond the paper's."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed writes the same bytes.")
@click.option("--light", is_flag=True, help="Few and small files, for load tests with thousands of films.")
@click.option("--microscope", is_flag=True, help="Also a 4D-STEM scan and a HAADF series of the 3.8 nm trilayer.")
@PROCESSES
def simulate(out: Path, films: int | None, seed: int, light: bool, microscope: bool, processes: int) -> None:
    """Write a campaign of simulated samples in the vendors' own file formats, with the truth kept apart.

    By default 21: both series of the paper (12 films, 7 trilayers), the reference of the Kelvin probe's tips, and a
    bare substrate. OUT gets inbox/ and truth/; make it a home (`rutile --home OUT ingest OUT/inbox`) or ingest from it.
    """
    from rutile_assets.simulation.campaign import simulate as make  # noqa: PLC0415

    with _bar("simulating") as tell:
        made = make(out, films=films, seed=seed, progress=tell, light=light, microscope=microscope, processes=processes)
    click.echo(f"wrote {len(made.films)} samples, {made.files} files, {made.size_bytes / 1e6:.0f} MB to {made.inbox}")
    click.echo(f"{len(made.rejections)} files are bad on purpose; the truth is apart, in {made.truth}")


@main.command()
@click.argument("homes", nargs=-1, type=PATH)
@click.option("--truth", type=PATH, help="The truth folder of a simulated campaign; HOME/truth by default.")
@click.option("--details", is_flag=True, help="Also every result: value, sigma, truth, residual, pull.")
@click.option("--out", type=PATH, help="Write every result as JSON here.")
@click.pass_obj
def score(home: Path, homes: tuple[Path, ...], truth: Path | None, details: bool, out: Path | None) -> None:
    """Compare the results with the truth of simulated campaigns, quantity by quantity, pooled over all HOMES.

    \b
    bias    mean of (value - truth) / sigma, with its error; an honest analysis stays within 0.2
    width   standard deviation of the same; an honest sigma gives 1
    within  part of the results within one sigma of the truth, with its 95 % interval; 60 to 76 % is honest
    verdict ok, fails, or open: outside, but by chance perhaps
    """  # noqa: D301
    from rutile_assets.ops.score import score as compare  # noqa: PLC0415

    if truth is not None and len(homes) > 1:
        _stop("found --truth with several homes; expected HOME/truth in each. Leave --truth out.")
    rows = [row for one in homes or (home,) for row in compare(_house(one).lake, truth or one / "truth")]
    if out is not None:
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if details:
        _wide().print(_rows_table(rows, SCORED))
    _print_summary(rows)


@main.command()
@click.option("--films", help="Only these growth_ids, separated by commas.")
@click.option("--all", "everything", is_flag=True, help="Also pages that show what they would show now.")
@click.option("--serve", is_flag=True, help="Then serve them on 127.0.0.1 until Ctrl-C.")
@click.option("--port", type=click.IntRange(min=0, max=65535), default=3001, show_default=True, help="Where.")
@click.pass_obj
def pages(home: Path, films: str | None, everything: bool, serve: bool, port: int) -> None:
    """Write the films' pages whose content has changed, and the index; they open from disk.

    `rutile run` does it too; this is for pages of a new release, or to have them in a browser: nothing is computed.
    """
    from rutile_assets.ops.serve_pages import serve_pages  # noqa: PLC0415
    from rutile_assets.results.passport import write_index, write_pages  # noqa: PLC0415
    from rutile_assets.rooms import ROOMS  # noqa: PLC0415

    house = _house(home)
    chosen = films.split(",") if films else None
    written = write_pages(house.lake, house.home, ROOMS, chosen, everything=everything)
    index = write_index(house.lake, house.home)
    click.echo(f"{len(written)} pages written; index: {index}")
    if serve:
        serve_pages(house.home, port, lambda url: click.echo(f"pages  {url}"))


@main.command()
@click.pass_obj
def doctor(home: Path) -> None:
    """Check versions, extensions, device, disk and home. Exit code 1 if something is wrong."""
    from rutile_assets.ops.doctor import examine  # noqa: PLC0415

    findings = examine(_house(home))
    for sound, what, found in findings:
        click.echo(f"{'ok   ' if sound else 'WRONG'}  {what}: {found}")
    sys.exit(0 if all(sound for sound, _, _ in findings) else 1)


@main.command()
@click.option("--films", type=click.IntRange(min=1), default=8, show_default=True, help="How many samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the simulation.")
@click.option("--microscope", is_flag=True, help="Also a HAADF series and a 4D-STEM scan, reconstructed.")
@PROCESSES
@click.pass_obj
def demo(home: Path, films: int, seed: int, microscope: bool, processes: int) -> None:
    """Simulate a campaign in the home, ingest it, compute it, and show how the results lie about the truth."""
    from rutile_assets.ops import parallel, runner  # noqa: PLC0415
    from rutile_assets.ops.score import score as compare  # noqa: PLC0415
    from rutile_assets.provenance.context import RunContext  # noqa: PLC0415
    from rutile_assets.simulation.campaign import simulate as make  # noqa: PLC0415

    house = _house(home)
    if not (house.home.root / "truth").is_dir():
        with _bar("simulating") as tell:
            make(house.home.root, films=films, seed=seed, progress=tell, microscope=microscope, processes=processes)
    with _bar("reading files") as tell:
        verdicts = house.ingest([house.home.inbox], RunContext("cli"), progress=tell)
    work = runner.plan(house)
    with _bar("computing") as tell:
        tell(0, len(work), "")
        done = iter(range(1, len(work) + 1000))
        report = parallel.run(
            house, work, processes, lambda film, asset: tell(next(done), len(work), f"{film} {asset}")
        )
    rows = compare(house.lake, house.home.root / "truth")
    if films <= SMALL_DEMO:
        _wide().print(_rows_table([row for row in rows if row["quantity"] in SHOWN], SCORED))
    _print_summary(rows)
    refused = [v for v in verdicts if v.status == "rejected"]
    click.echo(f"{len(verdicts)} files, {len(refused)} refused (some are bad on purpose):")
    for verdict in refused:
        click.echo(f"  {verdict.growth_id}: {verdict.sentence}")
    click.echo(f"{report.done} assets computed, {len(report.failures)} failed" if work else "nothing was stale")
    for failure in report.failures:
        click.echo(f"  {failure}", err=True)
    click.echo(f"pages  {house.home.reports / 'index.html'}")
    click.echo(f'lake   {house.home.lake}   (rutile --home {house.home.root} sql "FROM results WHERE is_current")')
    sys.exit(1 if report.failures else 0)


def _house(home: Path) -> Any:
    from rutile_assets.ops.house import open_house  # noqa: PLC0415 - `rutile --help` answers at once without it

    return open_house(home)


@contextmanager
def _bar(what: str) -> Iterator[Any]:
    columns = (
        TextColumn("{task.fields[what]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[name]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task("", what=what, name="", total=None)
        yield lambda done, total, name: progress.update(task, completed=done, total=total, name=name)


def _tree(step: Any, tree: Tree, *, why: bool, only_file: int | None) -> Tree:
    knows_the_file = any(parent.entity_id == only_file for parent in step.parents)
    for parent in step.parents:
        if parent.kind == "raw_file" and parent.role == "file" and knows_the_file and parent.entity_id != only_file:
            continue
        details = parent.details
        if parent.kind == "raw_file":
            text = f"{details['growth_id']}/{details['original_path']}  sha256 {details['sha256']}"
        else:
            text = f"{parent.asset}  data {details['data_version']}"
        if why:
            text += f"\n  code {details['code_version']}  snapshot {details['snapshot']}  {details['parameters']}"
        _tree(parent, tree.add(text, highlight=False), why=why, only_file=only_file)
    return tree


def _rows_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = column in ("value", "sigma", "truth", "residual", "pull")
        shown.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*[_cell(column, row.get(column)) for column in columns])
    return shown


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from rutile_assets.ops.score import summarise  # noqa: PLC0415

    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in ("quantity", "n", "no sigma", "bias", "+-", "width", "within", "95 %", "verdict"):
        shown.add_column(column, justify="left" if column in ("quantity", "verdict") else "right", no_wrap=True)
    for s in summarise(rows):
        interval = f"{100 * s.coverage_low:.0f}..{100 * s.coverage_high:.0f} %"
        numbers = (f"{s.bias:.2f}", f"{s.bias_std:.2f}", f"{s.width:.2f}", f"{100 * s.coverage:.0f} %", interval)
        shown.add_row(s.quantity, str(s.count), str(s.without_sigma_count or ""), *numbers, s.verdict)
    _wide().print(shown)


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2g}" if column in ("sigma", "residual", "pull") else f"{value:.5g}"
    return str(value)


def _sigma(sigma: float | None) -> str:
    return "unknown" if sigma is None else f"{sigma:.2g}"


def _print_table(table: Any) -> None:
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in table.column_names:
        shown.add_column(name, overflow="fold")
    for row in table.to_pylist():
        shown.add_row(*["" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in row.values()])
    _wide().print(shown)
    click.echo(f"{table.num_rows} rows")


def _wide() -> Console:
    """Return a console that folds to a terminal's width and lets a pipe or a file have whole lines."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 2000)


def _stop(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
