"""Judge a recomputation version by version: the verdict on each number and on the rows, with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from rutile_assets.ops.recompute import Key
from rutile_assets.ops.recorded import Recorded
from rutile_assets.provenance import verify as compare
from rutile_assets.provenance.change import code_changes
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.tolerance import DIFFERS, NOT_IN_SAMPLE, NOT_RECOMPUTED, OUT_OF_DATE, WITHIN
from rutile_assets.rooms import all_assets

SENTENCES = 5  # of a list of reasons that are shown
NO_CODE = CodeVersion("", {})
Row = dict[str, Any]
Pair = tuple[pd.DataFrame, pd.DataFrame, dict[int, str], dict[int, str]]  # recorded and again, with their names
NOWHERE: Row = {"packages": {}}  # an environment that nothing is known of


class Judge:
    """Judges one version after the other, upstream before downstream.

    Parameters
    ----------
    recorded, again : Recorded
        The lab's home, and the clean one after its recomputation.
    failures, late : mapping
        (film, asset) -> why it could not be computed, or why there is nothing to compare.
    """

    def __init__(
        self, recorded: Recorded, again: Recorded, failures: Mapping[Key, str], late: Mapping[Key, str]
    ) -> None:
        """Read both homes once."""
        self.recorded, self.again, self.failures, self.late = recorded, again, failures, late
        self.assets = {asset.name: asset for asset in all_assets()}
        self.made = {(row["growth_id"], row["asset"]): row for row in again.versions()}
        self.numbers = compare.by_key(again.numbers())
        self.keys: dict[Key, list[compare.NumberKey]] = defaultdict(list)
        for key, row in self.numbers.items():
            self.keys[None if self.assets[key[0]].spans_films else row["growth_id"], key[0]].append(key)
        self.environments = recorded.environments()
        self.here: tuple[str, Row] = next(iter(again.environments().items()), ("", NOWHERE))
        self.code = recorded.code() | again.code()
        self.pairs: dict[tuple[int, str], Pair] = {}
        self.changed: dict[Key, str] = {}
        self.loose: set[Key] = set()  # versions that are the same within their tolerance: what reads them is no better
        self.environment_notes: set[str] = set()

    def rows(self, version: Row, numbers: Sequence[Row], *, is_chosen: bool) -> Iterator[Row]:
        """Yield the rows of ``verification`` of one version."""
        key = (version["growth_id"], version["asset"])
        made = self.made.get(key)
        if not is_chosen:
            yield from self._without(version, numbers, NOT_IN_SAMPLE, "it rests on all films, and some are not here")
        elif key in self.late:
            yield from self._without(version, numbers, OUT_OF_DATE, self.late[key])
        elif made is None:
            yield from self._without(version, numbers, NOT_RECOMPUTED, self.failures.get(key, "it was not computed"))
        else:
            yield from self._with(version, made, numbers)

    def _without(self, version: Row, numbers: Sequence[Row], verdict: str, reason: str) -> Iterator[Row]:
        for number in (None, *numbers):
            yield self._row(version, number, verdict=verdict, reason=reason)

    def _with(self, version: Row, made: Row, numbers: Sequence[Row]) -> Iterator[Row]:
        asset = self.assets[version["asset"]]
        change = self._code_change(version, made, asset)
        apart = compare.differences(self.environments.get(version["environment_id"], NOWHERE), self.here[1])
        self.environment_notes.update(apart)
        exact = asset.tolerance.promises_bits(self.here[1].get("device")) and not apart
        exact = exact and not self.loose.intersection(self._above(version, asset))
        said = {"tolerance": asset.tolerance.words(exact=exact), "code_version": made["code_version"]}
        keys = compare.by_key(numbers)
        found = self._rows_of(asset, version)
        new = [key for key in self.keys[version["growth_id"], asset.name] if key not in keys]
        if new:
            gone = compare.Comparison(
                is_same=False, is_within=False, sentence=f"a number that was not there: {new[0][2]}"
            )
            found = compare.together([gone, found])
        verdict = compare.verdict(found, exact=exact, code_changed=bool(change))
        if verdict == DIFFERS and version["data_version"] == made["data_version"]:
            found = compare.Comparison(
                is_same=False, is_within=False,
                sentence=f"the lake's rows are not those that were committed: {found.sentence}",
            )  # fmt: skip
        if verdict == WITHIN:
            self.loose.add((version["growth_id"], asset.name))
        yield self._row(version, None, verdict=verdict, reason=_joined(change, found.sentence), **said)
        for key, number in keys.items():
            other = self.numbers.get(key)
            found = compare.compare_number(number, other, asset.tolerance)
            verdict = compare.verdict(found, exact=exact, code_changed=bool(change))
            values = {} if other is None else {"value": other["value"], "sigma": other["sigma"]}
            if other is not None:
                values["difference"] = other["value"] - number["value"]
            yield self._row(version, number, verdict=verdict, reason=_joined(change, found.sentence), **said, **values)

    def prepare(self, versions: Sequence[Row]) -> None:
        """Read the rows of these versions and of their recomputations, a question a table."""
        self.pairs.clear()
        for name in {version["asset"] for version in versions} & self.assets.keys():
            mine = [v for v in versions if v["asset"] == name and (v["growth_id"], name) in self.made]
            again = [self.made[v["growth_id"], name]["entity_id"] for v in mine]
            if not mine:
                continue
            for table in self.assets[name].writes:
                left, left_names = self.recorded.table(table, [v["entity_id"] for v in mine])
                right, right_names = self.again.table(table, again)
                nothing = pd.DataFrame(columns=table.column_names)
                for version, made in zip(mine, again, strict=True):
                    frames = left.get(version["entity_id"], nothing), right.get(made, nothing)
                    self.pairs[version["entity_id"], table.name] = (*frames, left_names, right_names)

    def _rows_of(self, asset: Asset, version: Row) -> compare.Comparison:
        """Compare the rows of all tables of a version."""
        found = []
        for table in asset.writes:
            left, right, left_names, right_names = self.pairs[version["entity_id"], table.name]
            readers = (self.recorded.read_array, self.again.read_array)
            found.append(compare.compare_rows(table, left, right, (left_names, right_names), asset.tolerance, readers))
        return compare.together(found)

    def _above(self, version: Row, asset: Asset) -> list[Key]:
        """Return the versions that one reads: those of its film, or of every film."""
        films = {film for film, _ in self.made} if asset.spans_films else {version["growth_id"]}
        return [(film, name) for name in asset.reads for film in films]

    def _code_change(self, version: Row, made: Row, asset: Asset) -> str:
        """Name what of the code differs from what was recorded, of the asset or of what it reads; '' for nothing."""
        key = (version["growth_id"], version["asset"])
        if version["code_version"] != made["code_version"]:
            then, now = (self.code.get(row["code_version"], NO_CODE) for row in (version, made))
            changes = [change.text for change in code_changes(then, now)]
            more = f" and {len(changes) - SENTENCES} more" if len(changes) > SENTENCES else ""
            self.changed[key] = "; ".join(changes[:SENTENCES]) + more
        else:
            above = next((name for film, name in self._above(version, asset) if (film, name) in self.changed), None)
            if above is not None:
                self.changed[key] = f"code of {above}, which it reads"
        return self.changed.get(key, "")

    def _row(self, version: Row, number: Mapping[str, Any] | None, *, verdict: str, reason: str, **said: Any) -> Row:
        of = number or {}
        return {
            "entity_id": version["entity_id"], "result_id": of.get("result_id"), "asset": version["asset"],
            "growth_id": of["growth_id"] if number is not None else version["growth_id"], "series": of.get("series"),
            "quantity": of.get("quantity"), "subject": of.get("subject"), "unit": of.get("unit"), "value": None,
            "sigma": None, "difference": None, "tolerance": "", "verdict": verdict, "reason": reason,
            "environment_id": self.here[0] or version["environment_id"] or "", "code_version": version["code_version"],
            **said,
        }  # fmt: skip


def _joined(*sentences: str) -> str:
    return "; ".join(sentence for sentence in sentences if sentence)
