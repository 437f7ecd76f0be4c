"""The room of notes: Markdown to rows that are searched and shown like all else."""

from __future__ import annotations

import pandas as pd

from rutile_assets.formats.markdown_note import BESIDE, TECHNIQUE, parse
from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.note.tables import NOTE


@film_asset(room=TECHNIQUE, files=TECHNIQUE, writes=(NOTE,), kinds=("markdown",))
def note(film: Film) -> Outcome:
    """Read what people wrote about the film and its files: words, tags, author and date.

    A note is about the file that its head names (`about: xrr/scan.rasx`), else about the one that it stands beside
    (scan.rasx.md beside scan.rasx), else about the film.
    """
    rows = []
    for file in film.files:
        said = parse(file.path.read_bytes(), file.name)
        beside = film.measurement(file).settings.get(BESIDE)
        rows.append(
            {
                "file_id": file.file_id,
                "about_path": said.about or beside,
                "note_text": said.text,
                "tags": " ".join(said.tags),
                "author": said.author,
                "written_at": said.written_at,
            }
        )
    return Outcome(tables={"note": pd.DataFrame(rows)} if rows else {})


ROOM = Room(TECHNIQUE, "Notes", ("notes",), None, (note,))
