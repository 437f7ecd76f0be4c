"""Notes that people write: Markdown in UTF-8, with a head of author, date, tags and what it is about, if they like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.yaml_text import read_mapping

ENDING = ".md"
TECHNIQUE = "note"
BESIDE = "beside"  # declared at ingest: scan.rasx.md stands beside scan.rasx
MAX_BYTES = 1024**2
MAX_TAGS = 100
KEYS = ("about", "author", "date", "tags")
_MAX_HEAD_BYTES = 16 * 1024
_MAX_WORDS = 400  # characters of an author or a path
_FENCE = "---"
_TAG = re.compile(r"[^\W\d_][\w.+-]{0,63}")
_IN_TEXT = re.compile(r"(?:^|(?<=[\s(,;]))#([^\W\d_][\w+-]{0,63})", re.MULTILINE)
_TAG_LINE = re.compile(r"^(tags:|\s*-\s).*$", re.MULTILINE)
_HASH = re.compile(r"(?<=[\s,\['\"])#(?=[^\W\d_])")  # tags: #twin is no comment of YAML
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Note:
    """A note.

    Parameters
    ----------
    text : str
        Its words, Markdown without the head.
    tags : tuple of str
        Sorted, lower case: those of the head and the #words of the text.
    author, about : str or None
        As the head says; `about` is a path in the film's folder.
    written_at : datetime or None
        As the head says; UTC where it gives a zone.
    """

    text: str
    tags: tuple[str, ...]
    author: str | None
    about: str | None
    written_at: datetime | None


def parse(content: bytes, name: str) -> Note:
    """Return a note's words and what its head says.

    Raises
    ------
    UnreadableFile
        More than a megabyte, not UTF-8, control characters, no word, or a head that is broken.
    """
    head, body = _split(_text(content, name), name)
    tags = {tag.lower() for tag in (*_tags(head.get("tags"), name), *_IN_TEXT.findall(_CODE.sub(" ", body)))}
    if len(tags) > MAX_TAGS:
        raise _wrong(f"{len(tags)} tags", f"at most {MAX_TAGS}", name)
    if not body and not tags:
        raise UnreadableFile("a note without a word", "text", "Write something.", name)
    about = _about(_words(head, "about", name), name)
    return Note(body, tuple(sorted(tags)), _words(head, "author", name), about, _written_at(head.get("date"), name))


def read(source: Source) -> Measurement:
    """Read a note; its words are left to `parse`.

    Raises
    ------
    UnreadableFile
        See `parse`.
    """
    size = source.path.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFile(
            f"a note of {size} bytes", f"at most {MAX_BYTES}", "Split it; data go into a file of their own.",
            source.name,
        )  # fmt: skip
    note = parse(source.read(), source.name)
    said = {"about": note.about, "author": note.author, "tags": list(note.tags) or None}
    return Measurement(
        "markdown-note", technique=TECHNIQUE, settings={key: value for key, value in said.items() if value is not None}
    )


def tag_of(word: str) -> str | None:
    """Return a word as a tag, with or without its #; None where it is none."""
    bare = word.strip().removeprefix("#")
    return bare.lower() if _TAG.fullmatch(bare) else None


def _text(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise UnreadableFile(
            f"bytes that are not UTF-8 at {fault.start}", "a note in UTF-8", "Save it as UTF-8.", name
        ) from None
    control = _NO_TEXT.search(text)
    if control is not None:
        raise UnreadableFile(
            f"the control character {control.group()!r}", "a note in plain text", "Save it as plain text.", name
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _split(text: str, name: str) -> tuple[dict[str, Any], str]:
    """Return what stands between two lines of --- at the very start, and the rest."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, text.strip()
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() in (_FENCE, "...")), None)
    if end is None:
        raise _wrong("a head that does not end", "a second line of ---", name)
    head = _TAG_LINE.sub(lambda line: _HASH.sub("", line.group()), "\n".join(lines[1:end])).encode()
    if len(head) > _MAX_HEAD_BYTES:
        raise _wrong(f"a head of {len(head)} bytes", f"at most {_MAX_HEAD_BYTES}", name)
    said = read_mapping(head, name) if head.strip() else {}
    for key in said:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1, cutoff=0.4) or [", ".join(KEYS)]
            raise _wrong(f"the unknown key {key[:60]!r}", f"the key {near[0]}", name)
    return said, "\n".join(lines[end + 1 :]).strip()


def _tags(said: Any, name: str) -> list[str]:
    words = [] if said is None else re.split(r"[,\s]+", said.strip()) if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _wrong(f"tags: {said!r}"[:80], "words, such as tags: [twin, retake]", name)
    tags = [tag_of(word) for word in words if word]
    if None in tags:
        raise _wrong(f"the tag {words[tags.index(None)]!r}"[:80], "a word that starts with a letter", name)
    return [tag for tag in tags if tag is not None]


def _words(head: dict[str, Any], key: str, name: str) -> str | None:
    said = head.get(key)
    if said is not None and (not isinstance(said, str) or len(said) > _MAX_WORDS):
        raise _wrong(f"{key}: {said!r}"[:80], f"at most {_MAX_WORDS} characters of text, in quotes if need be", name)
    return (said or "").strip() or None


def _about(said: str | None, name: str) -> str | None:
    if said is None:
        return None
    path = PurePosixPath(said)
    if path.is_absolute() or ".." in path.parts or "\\" in said:
        raise _wrong(f"about: {said!r}"[:80], "a path inside the film's folder, such as xrr/scan.rasx", name)
    return path.as_posix()


def _written_at(said: Any, name: str) -> datetime | None:
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else said
        if not isinstance(moment, date):
            raise TypeError
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, OverflowError):
        raise _wrong(f"date: {said!r}"[:80], "a date such as 2026-11-24 or 2026-11-24T17:30", name) from None
    return moment


def _wrong(found: str, expected: str, name: str) -> UnreadableFile:
    return UnreadableFile(found, expected, "Correct the note's head; see docs/notes.md.", name)


FORMAT = Format("markdown-note", "note in Markdown (.md), UTF-8", lambda _, name: name.lower().endswith(ENDING), read)
