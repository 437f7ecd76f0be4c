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
_LONGEST = 4_000  # characters around the first word that come back from the lake
_SEARCH = """
    WITH hits AS (
        SELECT growth_id, kind, title, text, {has}, {rank} AS rank
        FROM searchable
        WHERE kind IN ({kinds}) AND ({any_of})
    ),

    films AS (
        SELECT growth_id, min(rank) AS best, lower(growth_id) IN ({words}) AS is_named
        FROM hits
        GROUP BY growth_id
        HAVING {all_of}
    )

    SELECT
        hits.growth_id,
        hits.kind,
        hits.title,
        substr(hits.text, greatest(1, {first} - 100), {longest}) AS text,
        count(DISTINCT hits.growth_id) OVER () AS films_count
    FROM hits
    INNER JOIN films ON hits.growth_id = films.growth_id
    ORDER BY
        films.is_named DESC, films.best, hits.growth_id, {found} DESC, hits.rank, hits.title
    LIMIT {limit}
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
    has = [f"contains(lower(concat_ws(' ', growth_id, title, text)), ${i})" for i in range(1, len(wanted) + 1)]
    named = [f"has_{i}" for i in range(1, len(wanted) + 1)]
    places = ", ".join(f"nullif(instr(lower(hits.text), ${i}), 0)" for i in range(1, len(wanted) + 1))
    ranks = " ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in _RANKS.items())
    rows = lake.rows(
        _SEARCH.format(
            has=", ".join(f"{test} AS {name}" for test, name in zip(has, named, strict=True)),
            rank=f"CASE kind {ranks} END",
            kinds=", ".join(f"'{kind}'" for kind in _RANKS),
            any_of=" OR ".join(has),
            words=", ".join(f"${i}" for i in range(1, len(wanted) + 1)),
            all_of=" AND ".join(f"bool_or({name})" for name in named),
            first=f"coalesce(least({places}), 1)",
            found=" + ".join(f"hits.{name}::INTEGER" for name in named),
            longest=_LONGEST,
            limit=int(limit),
        ),
        wanted,
    )
    shown = [
        {
            "film": row["growth_id"], "kind": row["kind"], "where": row["title"] or "film",
            "snippet": snippet(row["text"] or "", wanted),
        }
        for row in rows
    ]  # fmt: skip
    return shown, rows[0]["films_count"] if rows else 0


def snippet(text: str, words: Sequence[str]) -> str:
    """Return the words around the first of `words` in a text, on one line."""
    flat = re.sub(r"\s+", " ", text).strip()
    lower = flat.lower()
    place = min((at for word in words if (at := lower.find(word)) >= 0), default=0)
    start, end = max(0, place - AROUND), place + AROUND
    if start:
        start = flat.find(" ", start, place) + 1 or start
    return ("… " if start else "") + flat[start:end].strip() + (" …" if end < len(flat) else "")
