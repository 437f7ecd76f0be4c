"""Commands for words: note, search."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pyarrow as arrow

from rutile_assets.commands.printing import FORMAT, OUT, open_home, put_table

REJECTED = 3


@click.command()
@click.argument("film")
@click.argument("text")
@click.option("--about", metavar="PATH", help="The file of the film that it is about, such as xrr/scan.rasx.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times. #words in TEXT are tags too.")
@click.option("--author", help="Who writes it: initials or badge.")
@click.pass_obj
def note(home: Path, film: str, text: str, about: str | None, tags: tuple[str, ...], author: str | None) -> None:
    """Write a note about a film or one of its files; TEXT is Markdown, - reads it from standard input.

    The note is a Markdown file in the film's inbox folder, so that an editor does as well: any *.md there is a note,
    scan.rasx.md beside scan.rasx is about that file (docs/notes.md). It is ingested and the film's page rewritten.

    \b
      rutile note MBE-0142 "Edge chipped when mounted. #retake"
      rutile note MBE-0142 "Sample height was off." --about xrr/scan.rasx --tag alignment --author JD
    """  # noqa: D301
    from rutile_assets.ops.notes import write_note  # noqa: PLC0415

    said = sys.stdin.read() if text == "-" else text
    noted = write_note(open_home(home), film, said, about, tags, author)
    if noted.verdict.status == "rejected":
        click.echo(noted.verdict.sentence, err=True)
        sys.exit(REJECTED)
    click.echo(noted.path)


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most rows to show.")
@FORMAT
@OUT
@click.pass_obj
def search(home: Path, words: tuple[str, ...], limit: int, form: str, out: Path | None) -> None:
    """Find films by words in notes, tags, file names, settings of instruments and growth.yaml.

    A film is found where every word stands somewhere in it; capitals do not matter, #tag finds a tag. A film that is
    named comes first, then notes, file names, growth.yaml and settings. The view `searchable` has it for SQL.

    \b
      rutile search RuO2 "#retake"
      rutile search Nanoscope 2026-11
    """  # noqa: D301
    from rutile_assets.results import search as ask  # noqa: PLC0415

    rows, films = ask.search(open_home(home).lake, words, limit)
    table = arrow.table({column: arrow.array([row[column] for row in rows], arrow.string()) for column in ask.COLUMNS})
    put_table(table, form, out)
    if form == "table" and out is None:
        click.echo(f"{films} films found" + (f"; the first {limit} rows are shown" if len(rows) == limit else ""))
