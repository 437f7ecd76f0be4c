"""Notes as files: what their head may say, tags, and files that are broken or hostile."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from rutile_assets import formats
from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.markdown_note import MAX_BYTES, Note, parse
from rutile_assets.formats.measurement import Source


def test_a_head_says_who_when_and_what_about() -> None:
    head = "author: J. Doe\r\ndate: 2026-11-24T17:30:00+01:00\r\ntags: [Twin, '#b-1']\r\nabout: xrr/scan.rasx\r\n"
    text = f"\ufeff---\r\n{head}---\r\n# Edge\r\nchipped, see #retake\r\n"
    assert parse(text.encode(), "n.md") == Note(
        "# Edge\nchipped, see #retake", ("b-1", "retake", "twin"), "J. Doe", "xrr/scan.rasx",
        datetime(2026, 11, 24, 16, 30),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#one and (#two), #Three. no#no http://x/#no # no ##no &#39;", ("one", "three", "two")),
        ("`#no` #yes\n```\n#no\n```\n", ("yes",)),
        ("```\n#no, and the fence does not end", ()),
        ("#größe #rétake #1no", ("größe", "rétake")),
        ("---\ntags: one, #two three\n---\n", ("one", "three", "two")),
        ("---\ntags: #one #two  # both\n---\n", ("one", "two")),
        ("---\ntags:\n  - #one\n  - two\n---\n", ("one", "two")),
        ("---\n---\n#a", ("a",)),
    ],
)
def test_tags_are_hash_words_outside_code_and_what_the_head_lists(text: str, tags: tuple[str, ...]) -> None:
    assert parse(text.encode(), "n.md").tags == tags


@pytest.mark.parametrize(
    ("date", "moment"), [("2026-11-24", datetime(2026, 11, 24)), ("'2026-11-24T08:15'", datetime(2026, 11, 24, 8, 15))]
)
def test_dates_with_and_without_a_time(date: str, moment: datetime) -> None:
    assert parse(f"---\ndate: {date}\n---\nx".encode(), "n.md").written_at == moment


BOMB = "---\na: &a [x, x]\nb: &b [*a, *a]\ntags: *b\n---\nx"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b" \n\n", "without a word"),
        (b"\xff\xfe\x00x", "not UTF-8"),
        (b"PK\x03\x04 zip", "control character"),
        (b"x" * (MAX_BYTES + 1), "a note of 1048577 bytes"),
        (b"---\nauthor: x\nno end", "does not end"),
        (b"---\nautor: x\n---\nx", "the key author"),
        (b"---\n- a\n- b\n---\nx", "YAML that is a list"),
        (b"---\nauthor: [\n---\nx", "broken YAML"),
        (b"---\nauthor: a\nauthor: b\n---\nx", "twice"),
        (BOMB.encode(), "alias"),
        (b"---\ntags: " + b"[" * 5000 + b"\n---\nx", "broken YAML"),
        (b"---\nauthor: !!python/object/apply:os.system [id]\n---\nx", "broken YAML"),
        (b"---\nauthor: 12\n---\nx", "author: 12"),
        (b"---\nauthor: " + b"x" * 20_000 + b"\n---\nx", "a head of"),
        (b"---\ntags: {a: 1}\n---\nx", "tags:"),
        (b"---\ntags: ['<b>']\n---\nx", "the tag '<b>'"),
        (b"---\ntags: [1]\n---\nx", "tags:"),
        (b"---\ndate: yesterday\n---\nx", "date: 'yesterday'"),
        (b"---\ndate: 0001-01-01T00:00:00+23:00\n---\nx", "date:"),
        (b"---\nabout: ../../etc/passwd\n---\nx", "inside the film's folder"),
        (b"---\nabout: /etc/passwd\n---\nx", "inside the film's folder"),
        (b"---\nabout: 'C:\\x'\n---\nx", "inside the film's folder"),
        (" ".join(f"#t{i}" for i in range(101)).encode(), "101 tags"),
    ],
)
def test_what_is_no_note_is_refused_in_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "n.md"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as refused:
        formats.read(Source.of(path))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_note_is_known_by_its_ending_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.MD"
    path.write_text("*TYPE = Raw\n2theta, counts\n1 2\n3 4\n")
    read = formats.read(Source.of(path))
    assert (read.format, read.technique) == ("markdown-note", "note")
