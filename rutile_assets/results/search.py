"""Search in words: notes, tags, file names, what instruments recorded and growth.yaml, best films first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake

MAX_WORDS = 12
AROUND = 60  # characters of a snippet on either side of the word
COLUMNS = ("film", "kind", "where", "snippet")
# what a hit is worth, in the order in which people mean it; numbers are asked for in SQL, not in words
_RANKS = {"note": 1, "file": 2, "growth": 3, "setting": 4}
# a file is a hit by its name or else by what its instrument recorded; texts are fetched for the rows that are shown
_HITS = """
    WITH looked AS (
        SELECT file_id AS id, growth_id, coalesce(about_path, '') AS title, 'note' AS kind,
            lower(concat_ws(' ', growth_id, about_path, note_text, author)) AS name,
            regexp_replace(tags, '(\\S+)', '#\\1', 'g') AS more
        FROM lake.note
        UNION ALL
        SELECT entity_id, growth_id, 'growth.yaml', 'growth', lower(concat_ws(' ', growth_id, {growth})), ''
        FROM lake.growth
        UNION ALL
        SELECT file_id, growth_id, original_path, 'file',
            lower(concat_ws(' ', growth_id, original_path, technique, reader, instrument)), lower(settings)
        FROM lake.raw_file
    ),

    marked AS (SELECT id, growth_id, title, kind, {in_name}, {in_more} FROM looked WHERE {any_of}),

    standing AS (
        SELECT * FROM marked
        WHERE kind <> 'file' OR id IN (
            SELECT arg_max(CASE WHEN NOT is_withdrawn THEN file_id END, file_id) FROM lake.raw_file
            WHERE growth_id IN (SELECT growth_id FROM marked) GROUP BY growth_id, original_path
        )
    ),

    hits AS (
        SELECT id, growth_id, title, {has},
            CASE WHEN kind = 'file' AND NOT ({named}) THEN 'setting' ELSE kind END AS kind,
            CASE {rank} END AS rank
        FROM standing
    ),

    films AS (
        SELECT growth_id, min(rank) AS best, lower(growth_id) IN ({words}) AS is_named FROM hits
        GROUP BY growth_id HAVING {all_of}
    )

    SELECT hits.id, hits.growth_id, hits.kind, hits.title, (SELECT count(*) FROM films) AS films_count
    FROM hits INNER JOIN films ON hits.growth_id = films.growth_id
    ORDER BY films.is_named DESC, films.best, hits.growth_id, {found} DESC, hits.rank, hits.title, hits.id
    LIMIT {limit}
"""
_GROWTH = (
    "stack, series, growth_method, operator, strftime(grown_at, '%Y-%m-%d %H:%M'), substrate_vendor,"
    " substrate_treatment, related, growth_notes, origin"
)
_TEXTS = """
    SELECT 'note' AS kind, file_id AS id, concat_ws(' ', note_text, regexp_replace(tags, '(\\S+)', '#\\1', 'g'), author)
        AS text
    FROM lake.note WHERE file_id IN ({ids})
    UNION ALL
    SELECT 'growth', entity_id, concat_ws(' ', {growth}) FROM lake.growth WHERE entity_id IN ({ids})
    UNION ALL
    SELECT 'file', file_id, concat_ws(' ', technique, reader, instrument) FROM lake.raw_file WHERE file_id IN ({ids})
    UNION ALL
    SELECT 'setting', file_id, settings FROM lake.raw_file WHERE file_id IN ({ids})
"""


def search(lake: Lake, words: Sequence[str], limit: int = 50) -> tuple[list[dict[str, Any]], int]:
    """Return what has these words, and how many films have all of them.

    A film is found where each word stands somewhere: in its name, its notes and tags (#tag), the names of its files,
    what their instruments recorded, or its growth.yaml. A film that is named comes first, then what people wrote,
    file names, growth.yaml and settings; of a film, what has most of the words comes first.

    Parameters
    ----------
    lake : Lake
        The lake.
    words : sequence of str
        At most `MAX_WORDS`; capitals do not matter.
    limit : int
        The most rows to return.

    Returns
    -------
    tuple
        Rows of `COLUMNS`, and the number of films found, shown or not.

    Raises
    ------
    InvalidRecord
        No word, or too many.
    """
    wanted = list(dict.fromkeys(word.lower() for phrase in words for word in phrase.split()))
    if not 0 < len(wanted) <= MAX_WORDS:
        raise InvalidRecord(f"{len(wanted)} words", f"1 to {MAX_WORDS}", "Say which: rutile search RuO2 twin.")
    count = range(1, len(wanted) + 1)
    named = " OR ".join(f"name_{i}" for i in count)
    ranks = " ".join(f"WHEN kind = '{kind}' THEN {rank}" for kind, rank in _RANKS.items() if kind != "file")
    rows = lake.rows(
        _HITS.format(
            growth=_GROWTH,
            in_name=", ".join(f"contains(name, ${i}) AS name_{i}" for i in count),
            in_more=", ".join(f"contains(more, ${i}) AS more_{i}" for i in count),
            any_of=" OR ".join(f"contains(name, ${i}) OR contains(more, ${i})" for i in count),
            has=", ".join(f"name_{i} OR more_{i} AS has_{i}" for i in count),
            named=named,
            rank=f"{ranks} WHEN {named} THEN {_RANKS['file']} ELSE {_RANKS['setting']}",
            words=", ".join(f"${i}" for i in count),
            all_of=" AND ".join(f"bool_or(has_{i})" for i in count),
            found=" + ".join(f"hits.has_{i}::INTEGER" for i in count),
            limit=int(limit),
        ),
        wanted,
    )
    texts = _texts(lake, rows)
    shown = [
        {
            "film": row["growth_id"], "kind": row["kind"], "where": row["title"] or "film",
            "snippet": snippet(texts.get((row["kind"], row["id"])) or "", wanted),
        }
        for row in rows
    ]  # fmt: skip
    return shown, rows[0]["films_count"] if rows else 0


def _texts(lake: Lake, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """Return the texts of hits by kind and id."""
    if not rows:
        return {}
    ids = ", ".join(str(row["id"]) for row in rows)
    return {(row["kind"], row["id"]): row["text"] for row in lake.rows(_TEXTS.format(growth=_GROWTH, ids=ids))}


def snippet(text: str, words: Sequence[str]) -> str:
    """Return the words around the first of `words` in a text, on one line."""
    flat = re.sub(r"\s+", " ", text).strip()
    lower = flat.lower()
    place = min((at for word in words if (at := lower.find(word)) >= 0), default=0)
    start, end = max(0, place - AROUND), place + AROUND
    if start:
        start = flat.find(" ", start, place) + 1 or start
    return ("… " if start else "") + flat[start:end].strip() + (" …" if end < len(flat) else "")
