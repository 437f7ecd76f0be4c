"""Notes on the pages: Markdown without HTML and without pictures; tags, and the texts that the search has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from rutile_assets.lake.tables import Lake

SHOWN = 32_000  # characters of one note; the rest is in its file
SEARCHED = 8_000  # characters of a film's notes that the index's search has
_HEADINGS = ("heading_open", "heading_close")  # their tags say h1 to h6


def shown_notes(rows: Iterable[Mapping[str, Any]], files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a film's notes as the page shows them, in the order in which they were written.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of ``note``.
    files : sequence of mapping
        The film's raw files: file_id, original_path, ingested_at, is_past.

    Returns
    -------
    list of dict
        html, tags, author, moment, about_path, about_file_id (None where the film has no such file), file_id, is_cut.
    """
    by_id = {file["file_id"]: file for file in files}
    by_path = {file["original_path"]: file["file_id"] for file in files if not file["is_past"]}
    notes = [
        {
            "html": markdown(row["note_text"][:SHOWN]),
            "is_cut": len(row["note_text"]) > SHOWN,
            "tags": row["tags"].split(),
            "author": row["author"],
            "moment": row["written_at"] or by_id.get(row["file_id"], {}).get("ingested_at"),
            "about_path": row["about_path"],
            "about_file_id": by_path.get(row["about_path"]),
            "file_id": row["file_id"],
        }
        for row in rows
    ]
    return sorted(notes, key=lambda note: (str(note["moment"]), note["file_id"]))


@lru_cache(maxsize=256)
def markdown(text: str) -> Markup:
    """Return Markdown as HTML that a page of ours may hold: tags are shown as text, nothing is fetched, no script."""
    return Markup(_reader().render(text))


def texts(lake: Lake) -> dict[str, str]:
    """Return what the index's search looks through of each film, lower case: notes, #tags, names of files."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in lake.rows(
        "SELECT growth_id, string_agg(original_path, ' ' ORDER BY original_path) AS names FROM current_raw_file"
        " GROUP BY growth_id"
    ):
        found[row["growth_id"]].append(row["names"])
    for row in lake.rows(
        "SELECT growth_id, string_agg(regexp_replace(tags, '(\\S+)', '#\\1', 'g'), ' ' ORDER BY file_id) AS tags,"
        " left(string_agg(note_text, ' ' ORDER BY file_id), ?) AS words FROM lake.note GROUP BY growth_id",
        [SEARCHED],
    ):
        found[row["growth_id"]] += [row["tags"], " ".join(row["words"].split())]
    return {film: " ".join(parts).lower() for film, parts in sorted(found.items())}


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_block", "html_inline"])
    reader.core.ruler.push("ours", _ours)
    return reader


def _ours(state: Any) -> None:
    """Make headings plain strong lines, which cannot upset the page's own order, and links say nothing of us."""
    for token in state.tokens:
        if token.type in _HEADINGS:
            token.tag = "p"
        if token.type == "heading_open":
            token.attrSet("class", "heading")
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("rel", "noreferrer noopener nofollow")
