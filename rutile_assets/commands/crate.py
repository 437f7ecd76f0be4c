"""Commands that hand films out and take them in: export, import."""

from __future__ import annotations

from pathlib import Path

import click

from rutile_assets.commands.printing import FILMS, PATH, bar, open_home, stop

KINDS = {".eln": "eln", ".zip": "zip", ".duckdb": "duckdb"}


@click.command()
@click.argument("out", type=PATH)
@FILMS
@click.option("--series", help="The films of this series, such as RuO2/TiO2.")
@click.option("--all", "everything", is_flag=True, help="Every film of the home.")
@click.option(
    "--as", "kind", type=click.Choice(["crate", "eln", "zip", "duckdb"]),
    help="What to write; by OUT's ending where it is left out, else a crate: a folder.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="Of a DuckDB file: the raw bytes too, as a table.")
@click.pass_obj
def export(
    home: Path, out: Path, films: str | None, series: str | None, everything: bool, kind: str | None, raw: bool
) -> None:
    """Write films with all that their numbers rest on, so that others can read, check, cite and take them in.

    \b
      rutile export OUT --films MBE-0142,MBE-0143     an RO-Crate: raw files, tables, lineage, figures, pages
      rutile export OUT.eln --series RuO2/TiO2        the same as one file that electronic lab notebooks read
      rutile export OUT.duckdb --all                  one DuckDB file, with views, that opens without us

    The lab's name and the terms of its data stand in rutile.yaml: `lab: {name: ..., url: ..., license: CC-BY-4.0}`.
    docs/export.md says what is inside. The same lake gives the same bytes.
    """  # noqa: D301
    from rutile_assets.ops.export import write_export  # noqa: PLC0415

    if sum([films is not None, series is not None, everything]) != 1:
        stop("found no films, or films named twice over; expected one of --films, --series, --all. Name them.")
    chosen = kind or KINDS.get(out.suffix.lower(), "crate")
    if raw and chosen != "duckdb":
        stop("found --raw without a DuckDB file; expected --as duckdb. A crate has the raw files anyhow.")
    house = open_home(home)
    told = write_export(house, out, films.split(",") if films else None, series, chosen, raw=raw)
    for sentence in told:
        click.echo(sentence)


@click.command("import")
@click.argument("crate", type=PATH)
@click.option("--prefix", default="", help="Put this before each film's name, where a name is taken here.")
@click.pass_obj
def import_(home: Path, crate: Path, prefix: str) -> None:
    """Take a crate of another lab in, a folder, .zip or .eln of `rutile export`: bytes, rows, arrays and lineage.

    Every file is held against its hash and every row against its declaration first; then all of it is taken in, or
    nothing. Ids are given anew; the tables origin, origin_film and origin_number say whose they were.

    \b
    Exit code: 0 taken in (or here already), 2 refused; why is a row of the view rejected_files.
    """  # noqa: D301
    from rutile_assets.ops.export import pages_of  # noqa: PLC0415
    from rutile_assets.provenance.context import RunContext  # noqa: PLC0415
    from rutile_assets.provenance.crate.adopt import take_in  # noqa: PLC0415

    house = open_home(home)
    with bar("checking and copying") as tell:
        adopted = take_in(house.lake, house.home, crate.absolute(), RunContext("cli"), prefix=prefix, tell=tell)
    pages_of(house, adopted.films)
    click.echo(f"{len(adopted.films)} films of {adopted.organisation} taken in, {adopted.numbers} numbers")
    for sentence in adopted.sentences:
        click.echo(sentence)
    click.echo(f"crate {adopted.crate_id}")
