"""A change that makes a result out of date: what changed, in words, and what stands at the end of the chain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rutile_assets.provenance.code_version import CodeVersion, changed_parts, is_constant

NEVER, FILE, CODE, CONSTANT, PARAMETER, UPSTREAM = "never computed", "file", "code", "constant", "parameter", "upstream"
_NAMED = 3  # films or roots that a sentence names before it counts


@dataclass(frozen=True, slots=True)
class Change:
    """Why something is out of date.

    Parameters
    ----------
    kind : str
        never computed, file, code, constant, parameter, upstream.
    what : str
        The file's path, the function's or constant's qualified name, the parameter, the upstream asset.
    text : str
        The sentence.
    roots : tuple of (str, str)
        For an upstream: asset and sentence of the changes at the end of the chain; else empty.
    """

    kind: str
    what: str
    text: str
    roots: tuple[tuple[str, str], ...] = ()


NEVER_COMPUTED = Change(NEVER, "", "never computed")
ASKED_FOR = Change("asked for", "", "asked for")


def code_changes(old: CodeVersion, new: CodeVersion) -> list[Change]:
    """Name each function, class and constant that differs."""
    if not old.parts:
        return [Change(CODE, "", "code: the version it was made by is not recorded")]
    changes = []
    for told in changed_parts(old.parts, new.parts, old.details, new.details):
        name = told.split(": was ")[0].split(" ")[0]
        kind = CONSTANT if is_constant(name, old.details, new.details) else CODE
        changes.append(Change(kind, name, f"{kind}: {told}" if kind == CODE else f"constant {told}"))
    return changes


def recorded_code(digest: str, parts: str | None, details: str | None) -> CodeVersion:
    """Return a code version from its row of ``code``."""
    return CodeVersion(digest, json.loads(parts or "{}"), json.loads(details or "{}"))


def parameter_changes(then: Mapping[str, object], now: Mapping[str, object]) -> list[Change]:
    """Name each parameter that differs, with both values."""
    return [
        Change(PARAMETER, name, f"parameter {name}: was {then.get(name)!r}, is {now.get(name)!r}")
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]


def file_change(path: str, how: str) -> Change:
    """Tell of a file: `how` is new, withdrawn, replaced, declared (its settings), or the technique it is read as."""
    words = {
        "new": "is new",
        "withdrawn": "was withdrawn",
        "replaced": "was replaced",
        "declared": "has other declared settings",
    }
    return Change(FILE, path, f"file {path} {words.get(how, f'is read as {how} now')}")


def upstream_change(name: str, how: str, films: Sequence[str], roots: Iterable[tuple[str, str]]) -> Change:
    """Tell of an upstream asset: how it differs, of which films where the asset spans them, and the root causes."""
    known = tuple(dict.fromkeys(roots))
    of_films = f" of {listed(films)}" if films else ""
    if known == ((name, NEVER),):
        how = "was never computed"
    at: dict[str, str] = {}  # one cause found in several assets is told once, of this upstream where it is its own
    for asset, text in sorted(known, key=lambda end: end[0] != name):
        at.setdefault(text, asset)
    ends = [
        text if asset == name else f"{asset}: {text}" for text, asset in at.items() if text != NEVER or asset != name
    ]
    said = ends[:_NAMED]
    more = f" and {len(ends) - _NAMED} more" if len(ends) > _NAMED else ""
    because = f", because {' and '.join(said)}{more}" if said else ""
    return Change(UPSTREAM, name, f"upstream {name}{of_films} {how}{because}", known)


def roots_of(asset: str, changes: Iterable[Change]) -> list[tuple[str, str]]:
    """Return the ends of the chains behind an asset's changes."""
    ends: list[tuple[str, str]] = []
    for change in changes:
        ends += change.roots if change.kind == UPSTREAM and change.roots else [(asset, change.text)]
    return list(dict.fromkeys(ends))


def listed(films: Sequence[str]) -> str:
    """Name up to three films, and say how many more.

    Examples
    --------
    >>> listed(["B", "A"]), listed(["A", "B", "C", "D", "E"])
    ('A, B', 'A, B, C and 2 more')
    """
    named = ", ".join(sorted(films)[:_NAMED])
    return named if len(films) <= _NAMED else f"{named} and {len(films) - _NAMED} more"
