"""A changelog entry that says that numbers changed shows by how much: a table of `rutile diff`, or where it stands."""

from __future__ import annotations

import re
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
FIRST_FREE = (0, 1, 0)  # the release before there was `rutile diff`
_RELEASE = re.compile(r"^## v?(\d+)\.(\d+)\.(\d+)", re.MULTILINE)


def without_a_diff(text: str) -> list[str]:
    """Return the first line of each entry under "Numbers changed", of later releases, that shows no diff."""
    starts = [(tuple(int(n) for n in found.groups()), found.end()) for found in _RELEASE.finditer(text)]
    ends = [start for _, start in starts[1:]] + [len(text)]
    missing = []
    for (release, start), end in zip(starts, ends, strict=True):
        section = text[start:end].partition("### Numbers changed")[2].partition("\n### ")[0].partition("\n## ")[0]
        if release > FIRST_FREE:
            entries = re.split(r"^- ", section, flags=re.MULTILINE)[1:]
            missing += [entry.splitlines()[0] for entry in entries if "rutile diff" not in entry]
    return missing


def test_every_entry_on_changed_numbers_shows_its_diff() -> None:
    assert without_a_diff(CHANGELOG.read_text(encoding="utf-8")) == []


def test_an_entry_without_a_diff_is_found() -> None:
    text = """# Changelog

## 0.2.0

- New things.

### Numbers changed

- Thickness moves. `rutile diff --recompute`: of 20 numbers 3 changed, 0 are new, 0 vanished.

  | quantity | numbers |
  |---|---|
  | total_thickness_nm | 20 |
- Roughness moves a little.

## 0.1.0

### Numbers changed

- Before there was a diff.
"""
    assert without_a_diff(text) == ["Roughness moves a little."]
