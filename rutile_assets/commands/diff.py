"""The command `rutile diff`: two versions of the numbers side by side, film by film."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from rutile_assets.commands.printing import FILMS, PATH, PROCESSES, bar, open_home, rows_table, stop, wide

COLUMNS = (
    "growth_id", "quantity", "subject", "value_a", "sigma_a", "value_b", "sigma_b", "pull", "unit", "kind", "reason",
)  # fmt: skip
SUMMARY = ("quantity", "numbers", "changed", "new", "vanished", "median_pull", "largest_pull", "median_sigma_ratio")


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--recompute", is_flag=True, help="B is what the present code makes of the vault's bytes.")
@click.option(
    "--with", "parameters", multiple=True, metavar="ASSET.NAME=VALUE",
    help="B is recomputed with this parameter; may be given several times.",
)  # fmt: skip
@FILMS
@click.option("--quantity", help="Only this quantity.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True,
    help="markdown is the table for \"Numbers changed\" of a changelog.",
)  # fmt: skip
@click.option("--everything", is_flag=True, help="Also numbers that are the same.")
@click.option("--out", type=PATH, help="Write here instead of to the screen.")
@PROCESSES
@click.pass_obj
def diff(
    home: Path,
    a: str | None,
    b: str | None,
    recompute: bool,
    parameters: tuple[str, ...],
    films: str | None,
    quantity: str | None,
    form: str,
    everything: bool,
    out: Path | None,
    processes: int,
) -> None:
    """Show what differs between two versions: value, sigma, and the difference in units of A's sigma.

    A and B are snapshots of the home or folders of homes; B is the home as it is now where it is left out. The same
    stands on reports/diff.html with a picture. Of every current number against its previous version: the view
    result_change.

    \b
      rutile diff 120                                  snapshot 120 against now
      rutile diff 120 150                              two snapshots
      rutile diff old/.rutile new/.rutile              two homes, two releases over the same files
      rutile diff --recompute --format markdown        what the present code would change, for a changelog
      rutile diff --with xrr_fit.generations=400          what a parameter would change

    Both versions rest on the same data, so they are not independent: differences stand in units of A's sigma (B's where
    A has none), not of sqrt(2) sigma.
    """  # noqa: D301
    from rutile_assets.ops import diff as ops  # noqa: PLC0415
    from rutile_assets.provenance.diff import SAME, markdown  # noqa: PLC0415
    from rutile_assets.results.passport.comparison import write_diff  # noqa: PLC0415

    house = open_home(home)
    chosen = films.split(",") if films else None
    if recompute or parameters:
        if a is not None:
            stop("found a version beside --recompute or --with; expected none: A is the home as it is. Leave it out.")
        overrides = ops.parse_parameters(parameters)
        with bar("recomputing") as tell:
            done = iter(range(1, 10**9))
            found = ops.recomputed(
                house, overrides, films=chosen, quantity=quantity, processes=processes,
                tell=lambda film, asset: tell(next(done), None, f"{film} {asset}"),
            )  # fmt: skip
    elif a is None:
        stop("found no version to compare; expected a snapshot, a home, --recompute or --with. `rutile diff --help`.")
    else:
        found = ops.compare(_side(ops, house, a), _side(ops, house, b), films=chosen, quantity=quantity)
    page = write_diff(house.home, found.a, found.b, found.changes, found.notes)
    shown = [change.as_dict() for change in found.changes if everything or change.kind != SAME]
    if form == "table" and out is None:
        _print(found, shown)
        click.echo(f"page: {page}")
        return
    text = markdown(_command(), found.changes) if form == "markdown" else _written(found, shown, form)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _command() -> str:
    """Return the command as it was given, without where its output goes."""
    words = sys.argv[sys.argv.index("diff") + 1 :] if "diff" in sys.argv else []
    told = [word for before, word in zip(["", *words], words, strict=False) if "--out" not in (before, word)]
    return " ".join(["rutile diff", *told])


def _side(ops: Any, house: Any, named: str | None) -> Any:
    """Return a version: a snapshot of the home, another home, or the home as it is."""
    if named is None:
        return ops.at(house, None, "now")
    if named.isdecimal():
        return ops.at(house, int(named), f"snapshot {named}")
    folder = Path(named)
    if not (folder / "lake").is_dir():
        stop(f"found neither a snapshot nor a home in {named!r}; expected a number, or a folder with lake/ in it.")
    return ops.at(open_home(folder), None, named)


def _print(found: Any, shown: list[dict[str, Any]]) -> None:
    click.echo(f"A: {found.a}\nB: {found.b}")
    for note in found.notes:
        click.echo(f"  {note}")
    if not shown:
        click.echo(f"none of {len(found.changes)} numbers differs")
        return
    for row in shown:
        row["growth_id"] = row["growth_id"] or row["series"]
    wide().print(rows_table(shown, COLUMNS))
    rows = [row.as_dict() for row in found.summary if row.changed or row.new or row.vanished]
    click.echo("")
    wide().print(rows_table(rows, SUMMARY))


def _written(found: Any, shown: list[dict[str, Any]], form: str) -> str:
    from rutile_assets.provenance.diff import Change  # noqa: PLC0415

    if form == "json":
        said = {"a": found.a, "b": found.b, "notes": found.notes, "changes": shown}
        return json.dumps({**said, "summary": [row.as_dict() for row in found.summary]}, indent=1) + "\n"
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Change)])
    writer.writeheader()
    writer.writerows(shown)
    return text.getvalue()
