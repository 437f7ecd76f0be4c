"""Commands about simulated campaigns: simulate, score, demo."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.table import Table as RichTable

from rutile_assets.commands.printing import PATH, PROCESSES, bar, open_home, rows_table, stop, wide

SMALL_DEMO = 8
SHOWN = (  # of a small demo, one by one; `rutile score --details` shows all
    "total_thickness_nm", "planes_count", "relaxation_001_fraction", "roughness_sq_pm", "v_cpd_v", "work_function_ev",
    "sheet_resistance_ohm", "sheet_density_per_cm2",
)  # fmt: skip
SCORED = ("growth_id", "quantity", "subject", "value", "sigma", "truth", "residual", "pull", "unit")


@click.command()
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

    with bar("simulating") as tell:
        made = make(out, films=films, seed=seed, progress=tell, light=light, microscope=microscope, processes=processes)
    click.echo(f"wrote {len(made.films)} samples, {made.files} files, {made.size_bytes / 1e6:.0f} MB to {made.inbox}")
    click.echo(f"{len(made.rejections)} files are bad on purpose; the truth is apart, in {made.truth}")


@click.command()
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
        stop("found --truth with several homes; expected HOME/truth in each. Leave --truth out.")
    rows = [row for one in homes or (home,) for row in compare(open_home(one).lake, truth or one / "truth")]
    if out is not None:
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if details:
        wide().print(rows_table(rows, SCORED))
    _print_summary(rows)


@click.command()
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

    house = open_home(home)
    if not (house.home.root / "truth").is_dir():
        with bar("simulating") as tell:
            make(house.home.root, films=films, seed=seed, progress=tell, microscope=microscope, processes=processes)
    with bar("reading files") as tell:
        verdicts = house.ingest([house.home.inbox], RunContext("cli"), progress=tell)
    work = runner.plan(house)
    with bar("computing") as tell:
        tell(0, len(work), "")
        done = iter(range(1, len(work) + 1000))
        report = parallel.run(
            house, work, processes, lambda film, asset: tell(next(done), len(work), f"{film} {asset}")
        )
    rows = compare(house.lake, house.home.root / "truth")
    if films <= SMALL_DEMO:
        wide().print(rows_table([row for row in rows if row["quantity"] in SHOWN], SCORED))
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


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from rutile_assets.ops.score import summarise  # noqa: PLC0415

    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in ("quantity", "n", "no sigma", "bias", "+-", "width", "within", "95 %", "verdict"):
        shown.add_column(column, justify="left" if column in ("quantity", "verdict") else "right", no_wrap=True)
    for s in summarise(rows):
        interval = f"{100 * s.coverage_low:.0f}..{100 * s.coverage_high:.0f} %"
        numbers = (f"{s.bias:.2f}", f"{s.bias_std:.2f}", f"{s.width:.2f}", f"{100 * s.coverage:.0f} %", interval)
        shown.add_row(s.quantity, str(s.count), str(s.without_sigma_count or ""), *numbers, s.verdict)
    wide().print(shown)
