"""Verify what the lake holds: recompute it from the vault in a clean home, compare, and append how it came out."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake import vault
from rutile_assets.ops.house import House
from rutile_assets.ops.judge import Judge, Row
from rutile_assets.ops.recompute import Key, Recomputed, clean_home, recompute
from rutile_assets.ops.recorded import Recorded
from rutile_assets.provenance import verify as compare
from rutile_assets.provenance.code_version import code_version
from rutile_assets.provenance.context import RunContext, utc_now
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import record_code
from rutile_assets.provenance.tolerance import FAILURES, NOT_IN_SAMPLE
from rutile_assets.rooms import all_assets

AT_ONCE = 400  # versions whose rows are held in memory


@dataclass(frozen=True)
class Scope:
    """What to verify; it is recorded with the verification.

    Parameters
    ----------
    films : tuple of str or None
        These; None for all, or for a sample of all.
    sample : int or None
        How many films are drawn.
    seed : int
        Of the draw.
    quantity : str or None
        Only this quantity, and what it rests on.
    """

    films: tuple[str, ...] | None = None
    sample: int | None = None
    seed: int = 0
    quantity: str | None = None

    def chosen(self, known: Sequence[str]) -> list[str]:
        """Return the films, in the order of their names.

        Raises
        ------
        InvalidRecord
            A film that was asked for has no files.
        """
        if self.films is not None:
            missing = sorted(set(self.films) - set(known))
            if missing:
                raise InvalidRecord(
                    f"no film {missing[0]!r}", f"one of {len(known)} films", "rutile sql 'FROM growth' lists them."
                )
            return sorted(set(self.films))
        if self.sample is None:
            return sorted(known)
        return sorted(random.Random(self.seed).sample(sorted(known), min(self.sample, len(known))))


@dataclass(frozen=True)
class Report:
    """How a verification came out.

    Parameters
    ----------
    verified_at : datetime
        UTC.
    scope, films, films_count : Scope, list of str, int
        What was asked for; the films verified, and how many there are.
    snapshot : int
        The lake's snapshot that was verified.
    objects_count, broken : int, list of str
        Vault objects whose hash was taken anew, and a sentence for each whose bytes are gone or changed.
    environment_notes, setting_notes : list of str
        What differs between then and now: of machines and packages, and of rutile.yaml.
    rows : list of dict
        One for each number, and one for the rows of each version (result_id None); as in ``verification``.
    """

    verified_at: datetime
    scope: Scope
    films: list[str]
    films_count: int
    snapshot: int
    objects_count: int
    broken: list[str]
    environment_notes: list[str]
    setting_notes: list[str]
    rows: list[Row] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        """Tell whether bytes are lost, or a promise is broken."""
        return bool(self.broken) or any(row["verdict"] in FAILURES for row in self.rows)

    def counts(self, *, numbers: bool) -> dict[str, int]:
        """Return how many there are of each verdict, of numbers or of the rows of versions."""
        return compare.counted([row["verdict"] for row in self.rows if (row["result_id"] is not None) == numbers])

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            **asdict(self), "verified_at": self.verified_at.isoformat(), "numbers": self.counts(numbers=True),
            "versions": self.counts(numbers=False), "has_failed": self.has_failed,
        }  # fmt: skip


def verify(
    house: House,
    scope: Scope,
    run: RunContext,
    *,
    processes: int = 1,
    tell: Callable[[str, str], None] = lambda *_: None,
) -> Report:
    """Recompute what `scope` names and append a row of ``verification`` for each number and each version.

    Inputs are the vault's bytes, each hashed again; parameters are those that each activity recorded.

    Parameters
    ----------
    house : House
        The home; nothing in it changes but the table ``verification``.
    scope : Scope
        What.
    run : RunContext
        The run that the verification is recorded under.
    processes : int
        How many films at a time.
    tell : callable
        Called with (film or "all films", asset) for each that was computed.

    Raises
    ------
    InvalidRecord
        Unknown film, or nothing has that quantity.
    """
    recorded = Recorded(house)
    try:
        known = sorted({row["growth_id"] for row in recorded.files()})
        films = scope.chosen(known)
        some = None if films == known else films
        versions, numbers = recorded.versions(some), recorded.numbers(some)
        kept = _kept(scope, numbers)
        wanted = _wanted(films, films == known, versions, kept)
        left_out = set() if None in wanted else {asset.name for asset in all_assets() if asset.spans_films} & kept
        late = _out_of_date(recorded, versions, wanted)
        objects, broken = _check_vault(house, recorded, films, everything=films == known and scope.quantity is None)
        settings = {(row["growth_id"], row["asset"]): row["parameters"] for row in versions}
        with clean_home(house) as folder:
            made = recompute(house, folder, _computable(wanted, late), settings, processes=processes, tell=tell)
            try:
                rows, environment_notes = _compared(recorded, made, versions, numbers, wanted, late, left_out)
            finally:
                made.house.lake.close()
        report = Report(
            utc_now(), scope, films, len(known), int(recorded.snapshot or 0), objects, broken, environment_notes,
            _setting_notes(house, versions, wanted), rows,
        )  # fmt: skip
    finally:
        recorded.close()
    _append(house, report, run)
    return report


def _kept(scope: Scope, numbers: Sequence[Row]) -> set[str]:
    """Return the assets that the scope asks for: all, or those of a quantity with what they rest on."""
    if scope.quantity is None:
        return {asset.name for asset in all_assets()}
    kept = _upstream_of({row["asset"] for row in numbers if row["quantity"] == scope.quantity})
    if not kept:
        raise InvalidRecord(
            f"no current number {scope.quantity!r}", "a quantity of the view results",
            "rutile sql 'SELECT DISTINCT quantity FROM results' lists them.",
        )  # fmt: skip
    return kept


def _wanted(films: Sequence[str], is_all: bool, versions: Sequence[Row], kept: set[str]) -> dict[str | None, list[str]]:
    """Return the assets to verify by film; None: those that span films, where all films are verified."""
    wanted: dict[str | None, list[str]] = {film: [] for film in (*films, *([None] if is_all else []))}
    for row in versions:
        if row["growth_id"] in wanted and row["asset"] in kept:
            wanted[row["growth_id"]].append(row["asset"])
    return wanted


def _upstream_of(names: set[str]) -> set[str]:
    kept = set(names)
    for asset in reversed(all_assets()):
        if asset.name in kept:
            kept.update(asset.reads)
    return kept


def _computable(wanted: Mapping[str | None, Sequence[str]], late: Mapping[Key, str]) -> dict[str | None, list[str]]:
    return {film: [name for name in names if (film, name) not in late] for film, names in wanted.items()}


def _out_of_date(
    recorded: Recorded, versions: Sequence[Row], wanted: Mapping[str | None, Sequence[str]]
) -> dict[Key, str]:
    """Return the versions that were made from other files or other upstream data than there are now, and why."""
    order = {asset.name: (place, asset) for place, asset in enumerate(all_assets())}
    judged = [row for row in versions if row["growth_id"] in wanted]
    current: dict[str, dict[str | None, str]] = defaultdict(dict)
    for row in judged:
        current[row["asset"]][row["growth_id"]] = row["data_version"]
    now: dict[Key, dict[str, str]] = defaultdict(dict)
    for row in recorded.files():
        now[row["growth_id"], row["technique"]][row["original_path"]] = row["data_version"]
    parents = recorded.parents(judged)
    late: dict[Key, str] = {}
    for row in judged:
        if row["asset"] not in order:
            late[row["growth_id"], row["asset"]] = "this release has no such asset"
    known = [row for row in judged if row["asset"] in order]
    for row in sorted(known, key=lambda row: order[row["asset"]][0]):
        why = _why_late(row, order[row["asset"]][1], parents.get(row["entity_id"], []), now, current, late)
        if why is not None:
            late[row["growth_id"], row["asset"]] = why
    return late


def _why_late(
    version: Row,
    asset: Asset,
    above: Sequence[Row],
    now: Mapping[Key, Mapping[str, str]],
    current: Mapping[str, Mapping[str | None, str]],
    late: Mapping[Key, str],
) -> str | None:
    film = version["growth_id"]
    files = {row["original_path"]: row["data_version"] for row in above if row["kind"] == "raw_file"}
    if asset.files is not None and files != now.get((film, asset.files), {}):
        return "its files have changed since; rutile run computes it anew"
    made_from = {(row["growth_id"], row["asset"]): row["data_version"] for row in above if row["kind"] == "asset"}
    for name in asset.reads:
        upstream = current.get(name, {})
        for of in upstream if asset.spans_films else [film] if film in upstream else []:
            if (of, name) in late:
                return f"{name} of {of or 'all films'} is out of date"
            if made_from.get((of, name)) != upstream[of]:
                return f"{name} of {of or 'all films'} is newer; rutile run computes it anew"
    return None


def _check_vault(house: House, recorded: Recorded, films: Sequence[str], *, everything: bool) -> tuple[int, list[str]]:
    """Hash the vault's bytes of these films, or all bytes that were ever taken in, and name what is not intact."""
    names: dict[str, str] = {}
    for row in recorded.rows("SELECT sha256, growth_id, original_path FROM lake.raw_file ORDER BY file_id"):
        if everything or row["growth_id"] in films:
            names[row["sha256"]] = f"{row['growth_id']}/{row['original_path']}"
    if everything:
        for row in recorded.rows("SELECT sha256 FROM lake.raw_object"):
            names.setdefault(row["sha256"], "a refused file")
    broken = [
        f"{name}: found bytes in the vault that have changed, or none; expected those with sha256 {sha256}."
        " Restore the vault from its backup."
        for sha256, name in names.items()
        if not vault.is_intact(house.home.vault, sha256)
    ]
    return len(names), broken


def _compared(
    recorded: Recorded,
    made: Recomputed,
    versions: Sequence[Row],
    numbers: Sequence[Row],
    wanted: Mapping[str | None, Sequence[str]],
    late: Mapping[Key, str],
    left_out: set[str],
) -> tuple[list[Row], list[str]]:
    """Return a row for each number and each version, and what differs between the environments.

    `left_out` are assets that rest on more films than were recomputed.
    """
    again = Recorded(made.house)
    try:
        judge = Judge(recorded, again, made.failures, late)
        by_version: dict[int, list[Row]] = defaultdict(list)
        for number in numbers:
            by_version[number["entity_id"]].append(number)
        rows: list[Row] = []
        order = {asset.name: place for place, asset in enumerate(all_assets())}
        judged = [
            row
            for row in sorted(versions, key=lambda row: (row["growth_id"] or "~", order.get(row["asset"], 0)))
            if row["asset"] in wanted.get(row["growth_id"], ())
            or (row["growth_id"] is None and row["asset"] in left_out)
        ]
        for start in range(0, len(judged), AT_ONCE):
            some = judged[start : start + AT_ONCE]
            judge.prepare(some)
            for version in some:
                is_chosen = version["asset"] in wanted.get(version["growth_id"], ())
                rows += judge.rows(version, by_version[version["entity_id"]], is_chosen=is_chosen)
        return rows, sorted(judge.environment_notes)
    finally:
        again.close()


def _setting_notes(house: House, versions: Sequence[Row], wanted: Mapping[str | None, Sequence[str]]) -> list[str]:
    """Say where the present rutile.yaml differs from what a version was made with, which is what was used here."""
    assets = {asset.name: asset for asset in all_assets()}
    notes = []
    for row in versions:
        asset = assets.get(row["asset"])
        if asset is None or row["asset"] not in wanted.get(row["growth_id"], ()):
            continue
        now = json.loads(json.dumps(asset.parameters_as_dict(asset.parameters_for(house.home, row["growth_id"]))))
        notes += [
            f"{row['asset']} of {row['growth_id'] or 'all films'}: {name} was {row['parameters'].get(name)!r},"
            f" is {now.get(name)!r} now; verified with what it was"
            for name in sorted(now.keys() | row["parameters"].keys())
            if now.get(name) != row["parameters"].get(name)
        ]
    return notes


def _append(house: House, report: Report, run: RunContext) -> None:
    """Write the verification's activity and rows in one transaction."""
    code = code_version(verify)
    with house.lake.write() as writer:
        activity_id, run_id = writer.next_id(), run.run_id(writer)
        record_code(writer, code)
        activity = {
            "activity_id": activity_id, "run_id": run_id, "asset": "verify", "partition": None,
            "code_version": code.digest,
            "parameters": json.dumps(
                {
                    **asdict(report.scope), "verified": report.films, "objects_count": report.objects_count,
                    "broken": report.broken, "environment_notes": report.environment_notes,
                },
                sort_keys=True,
            ),
            "seed": report.scope.seed if report.scope.sample is not None else None, "snapshot": report.snapshot,
            "started_at": run.started_at, "wall_time_s": max((utc_now() - run.started_at).total_seconds(), 0.0),
        }  # fmt: skip
        writer.append("activity", [activity])
        now = {"verified_at": report.verified_at, "activity_id": activity_id}
        writer.append(
            "verification",
            [
                {"verification_id": writer.next_id(), **now, **_as_kept(row)}
                for row in report.rows
                if row["verdict"] != NOT_IN_SAMPLE
            ],
        )


def _as_kept(row: Row) -> Row:
    return {("verification_verdict" if name == "verdict" else name): value for name, value in row.items()}


def sentence(report: Report) -> str:
    """Return how it came out in one sentence."""
    numbers = ", ".join(f"{count} {name}" for name, count in report.counts(numbers=True).items())
    return f"{len(report.films)} of {report.films_count} films, numbers: {numbers or 'none'}"


def worst(report: Report) -> list[str]:
    """Return a sentence for each broken object and each version or number that fails."""
    failed = [row for row in report.rows if row["verdict"] in FAILURES]
    return report.broken + [
        f"{row['growth_id'] or row['series'] or 'all films'} {row['quantity'] or row['asset']}"
        f"{' of ' + row['subject'] if row['subject'] else ''} {row['verdict']}: {row['reason']}"
        for row in failed
    ]
