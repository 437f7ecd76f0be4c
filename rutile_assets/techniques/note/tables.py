"""Tables of the notes."""

from __future__ import annotations

from rutile_assets.columns import FILE_ID, film_table
from rutile_assets.table import Column

NOTE = film_table(
    "note",
    "What people wrote about a film or about one of its files.",
    grain="one note",
    key=("file_id",),
    columns=(
        FILE_ID,
        Column("about_path", "text", "the file that it is about, as in original_path; NULL: the film", nullable=True),
        Column("note_text", "text", "its words, Markdown without the head"),
        Column("tags", "text", "its tags, lower case, in the order of the alphabet, separated by blanks"),
        Column("author", "text", "who wrote it, as the head says", nullable=True),
        Column("written_at", "timestamp", "when, as the head says; UTC where it gives a zone", nullable=True),
    ),
)
