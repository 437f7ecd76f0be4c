"""The command `rutile verify`: recompute from the vault, and say how it lies to what is recorded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from rutile_assets.commands.printing import FILMS, PATH, PROCESSES, bar, open_home, stop

LISTED = 20


@click.command()
@FILMS
@click.option("--sample", type=click.IntRange(min=1), help="As many films, drawn by --seed.")
@click.option("--all", "everything", is_flag=True, help="All films, what spans films, and all bytes in the vault.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw; it is recorded.")
@click.option("--quantity", help="Only this quantity, and what it rests on.")
@click.option("--report", type=PATH, help="Also write every comparison as JSON here.")
@PROCESSES
@click.pass_obj
def verify(
    home: Path,
    films: str | None,
    sample: int | None,
    everything: bool,
    seed: int,
    quantity: str | None,
    report: Path | None,
    processes: int,
) -> None:
    """Recompute films from the vault's bytes in a clean home, and compare every number and every row.

    Bytes are hashed and parsed again; parameters are those that each activity recorded. Without an option: a sample of
    one film. The result is appended to the table verification; the view verified, the films' pages and
    reports/verify.html show it.

    \b
    identical                bit for bit; promised on the same machine and packages (docs/verification.md)
    within tolerance         elsewhere, within what the asset declares
    differs                  neither
    could not be recomputed  with the reason
    code changed             the code is not that of then: this is no failure; see `rutile diff --recompute`
    out of date              files or upstream data have changed since; rutile run computes it anew
    not in this sample       it rests on all films (series): verify --all

    \b
    Exit code: 0, or 1 where something differs, could not be recomputed, or bytes of the vault are not intact.
    """  # noqa: D301
    from rutile_assets.ops import verify as ops  # noqa: PLC0415
    from rutile_assets.provenance.context import RunContext  # noqa: PLC0415
    from rutile_assets.results.passport import write_index, write_pages  # noqa: PLC0415
    from rutile_assets.results.passport.verification import write_verification  # noqa: PLC0415
    from rutile_assets.rooms import ROOMS  # noqa: PLC0415

    if sum((films is not None, sample is not None, everything)) > 1:
        stop("found several of --films, --sample and --all; expected one. Leave the others out.")
    house = open_home(home)
    chosen = tuple(films.split(",")) if films else None
    scope = ops.Scope(chosen, None if chosen or everything else sample or 1, seed, quantity)
    with bar("recomputing") as tell:
        done = iter(range(1, 10**9))
        made = ops.verify(
            house, scope, RunContext("cli"), processes=processes,
            tell=lambda film, asset: tell(next(done), None, f"{film} {asset}"),
        )  # fmt: skip
    if report is not None:
        report.write_text(json.dumps(made.as_dict(), indent=1, default=str), encoding="utf-8")
    page = write_verification(house.lake, house.home)
    write_pages(house.lake, house.home, ROOMS, made.films, everything=False)
    write_index(house.lake, house.home)
    _show(made, ops)
    click.echo(f"page: {page}")
    sys.exit(1 if made.has_failed else 0)


def _show(made: Any, ops: Any) -> None:
    click.echo(f"{made.objects_count} objects of the vault hashed again, {len(made.broken)} not intact")
    for note in (*made.environment_notes, *made.setting_notes):
        click.echo(f"  {note}")
    for what, numbers in (("numbers", True), ("versions of assets, row by row", False)):
        click.echo(
            f"{what}: " + (", ".join(f"{n} {name}" for name, n in made.counts(numbers=numbers).items()) or "none")
        )
    told = ops.worst(made)
    for sentence in told[:LISTED]:
        click.echo(f"  {sentence}")
    if len(told) > LISTED:
        click.echo(f"  and {len(told) - LISTED} more: rutile sql 'FROM verification'")
    click.echo(ops.sentence(made))
