"""Write a note as a file into a film's inbox folder and take it in: what a person could do in an editor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import yaml

from rutile_assets.errors import InvalidRecord
from rutile_assets.formats.markdown_note import parse, tag_of
from rutile_assets.ops.export import pages_of
from rutile_assets.ops.house import House
from rutile_assets.ops.ingest import Verdict
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.originals import Original, originals, write_originals
from rutile_assets.techniques.growth.record import GROWTH_FILE, read_growth
from rutile_assets.techniques.note.assets import note as notes_of_film

FOLDER = "notes"
_SLUG_WORDS = 6


@dataclass(frozen=True)
class Noted:
    """A note that was written: its file, and the verdict on it."""

    path: Path
    verdict: Verdict


def write_note(
    house: House, growth_id: str, text: str, about: str | None, tags: Sequence[str], author: str | None
) -> Noted:
    """Write inbox/<growth_id>/notes/<UTC time>-<first words>.md, ingest it, compute the film's notes and its page.

    Raises
    ------
    InvalidRecord
        No such film, no such file of it, or a tag that is none.
    UnreadableFile
        The text is no note: empty, too long, control characters.
    """
    files = originals(house.lake, house.home, [growth_id])
    if not files:
        raise InvalidRecord(f"no film {growth_id!r}", _near(growth_id, house.films(), "a film"), "Ingest it first.")
    paths = [file.original_path for file in files]
    if about is not None and about not in paths:
        raise InvalidRecord(f"no file {about!r} of {growth_id}", _near(about, paths, "a file"), "Correct --about.")
    content = _content(text, about, tags, author)
    parse(content.encode(), "the note")
    _growth_file(house, growth_id, files)
    path = _unused(house.home.inbox / growth_id / FOLDER, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_slug(text)}")
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)
    verdict = next(v for v in house.ingest([path], RunContext("cli")) if v.path == path)
    if verdict.status == "rejected":
        return Noted(path, verdict)
    materialize(house.lake, house.home, notes_of_film, growth_id, RunContext("cli"))
    pages_of(house, [growth_id])
    return Noted(path, verdict)


def _near(wrong: str, known: Sequence[str], what: str) -> str:
    close = get_close_matches(wrong, known, n=3, cutoff=0.3)
    return " or ".join(close) or f"{what} that is here"


def _content(text: str, about: str | None, tags: Sequence[str], author: str | None) -> str:
    for tag in tags:
        if tag_of(tag) is None:
            raise InvalidRecord(f"the tag {tag!r}", "a word that starts with a letter", "Correct --tag.")
    head = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "author": author, "about": about,
        "tags": sorted({tag_of(tag) or "" for tag in tags}) or None,
    }  # fmt: skip
    said = {key: value for key, value in head.items() if value is not None}
    return f"---\n{yaml.safe_dump(said, sort_keys=False, allow_unicode=True)}---\n{text.strip()}\n"


def _growth_file(house: House, growth_id: str, files: Sequence[Original]) -> None:
    """Put the film's growth.yaml into its inbox folder, if it came from elsewhere: it says whose folder that is."""
    if (house.home.inbox / growth_id / GROWTH_FILE).is_file():
        return
    growth = next((file for file in files if file.original_path == GROWTH_FILE), None)
    told = None if growth is None else read_growth(growth.path.read_bytes()).growth_id
    if growth is None or told != growth_id:
        raise InvalidRecord(
            f"a film whose {GROWTH_FILE} says {told!r}", f"growth_id {growth_id!r}",
            f"Write inbox/{growth_id}/{GROWTH_FILE} with that growth_id, ingest it, and write the note again.",
        )  # fmt: skip
    write_originals([growth], house.home.inbox)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain)[:_SLUG_WORDS])[:48].strip("-") or "note"


def _unused(folder: Path, name: str) -> Path:
    number = 1
    while (path := folder / f"{name}{'' if number == 1 else f'-{number}'}.md").exists():
        number += 1
    return path
