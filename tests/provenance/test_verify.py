"""Comparison of numbers, rows and environments: what is the same, within tolerance, or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rutile_assets.columns import ENTITY_ID, FILE_ID, GROWTH_ID, NOTES
from rutile_assets.provenance import diff, verify
from rutile_assets.provenance.content import content, data_version, in_order_of_names
from rutile_assets.provenance.tolerance import CODE_CHANGED, DIFFERS, HOUSE, IDENTICAL, VERDICTS, WITHIN, Tolerance
from rutile_assets.results.figures.panel import digest_of
from rutile_assets.table import Column, Table, estimated

LOOSE = Tolerance(in_sigma=0.1, relative=1e-3)
TABLE = Table(
    "toy", "T.", "one", ("file_id",),
    (GROWTH_ID, ENTITY_ID, FILE_ID, *estimated("size_nm", "a size"), Column("rate_per_s", "double", "r"), NOTES),
)  # fmt: skip


def _frame(ids: list[int], sizes: list[float], notes: str = "x", entity: int = 1) -> pd.DataFrame:
    rows = [
        {"growth_id": "A", "entity_id": entity, "file_id": i, "size_nm": s, "size_nm_std": 0.5,
         "size_nm_std_source": "repeat", "rate_per_s": 100.0 * s, "notes": notes}
        for i, s in zip(ids, sizes, strict=True)
    ]  # fmt: skip
    return TABLE.frame(pd.DataFrame(rows))


def _none(_: str) -> np.ndarray:
    raise AssertionError("no array is asked for")


@pytest.mark.parametrize(
    ("again", "same", "within"),
    [
        ((1.0, 0.5), True, True), ((1.04, 0.5), False, True), ((1.06, 0.5), False, False),
        ((1.0, 0.54), False, True), ((1.0, 0.56), False, False), ((1.0, None), False, False),
    ],
)  # fmt: skip
def test_a_number_is_held_to_its_own_sigma_and_its_sigma_to_a_part_of_it(
    again: tuple[float, float | None], same: bool, within: bool
) -> None:
    found = verify.compare_number({"value": 1.0, "sigma": 0.5}, {"value": again[0], "sigma": again[1]}, LOOSE)
    assert (found.is_same, found.is_within) == (same, within)


def test_without_a_sigma_a_number_is_held_to_a_part_of_itself() -> None:
    known = {"value": 2.0, "sigma": None}
    assert verify.compare_number(known, {"value": 2.001, "sigma": None}, LOOSE).is_within
    assert not verify.compare_number(known, {"value": 2.01, "sigma": None}, LOOSE).is_within
    assert not verify.compare_number(known, None, LOOSE).is_within


def test_a_promise_of_bits_is_kept_or_broken_and_other_code_is_neither() -> None:
    near = verify.Comparison(is_same=False, is_within=True)
    assert verify.verdict(near, exact=True, code_changed=False) == DIFFERS
    assert verify.verdict(near, exact=False, code_changed=False) == WITHIN
    assert verify.verdict(near, exact=True, code_changed=True) == CODE_CHANGED
    assert verify.verdict(verify.Comparison(is_same=True, is_within=True), exact=True, code_changed=False) == IDENTICAL
    assert verify.counted([IDENTICAL, DIFFERS, IDENTICAL]) == {IDENTICAL: 2, DIFFERS: 1}
    assert set(VERDICTS) >= {IDENTICAL, DIFFERS}


def test_rows_are_compared_by_name_whatever_their_ids_and_order() -> None:
    names = ({1: "a", 2: "b"}, {7: "b", 9: "a"})
    left, right = _frame([1, 2], [1.0, 2.0]), _frame([7, 9], [2.0, 1.0], entity=5)
    arrays = (_none, _none)
    assert verify.compare_rows(TABLE, left, right, names, HOUSE, arrays).is_same
    off = verify.compare_rows(TABLE, left, _frame([7, 9], [2.0, 1.0001]), names, HOUSE, arrays)
    assert not off.is_same
    assert "toy.rate_per_s: 100, again 100.0" in off.sentence
    assert "at file_id a" in off.sentence
    assert not off.is_within
    assert verify.compare_rows(TABLE, left, _frame([7, 9], [2.0, 1.0001]), names, LOOSE, arrays).is_within
    assert "2 rows, again 1" in verify.compare_rows(TABLE, left, _frame([9], [1.0]), names, LOOSE, arrays).sentence
    worded = verify.compare_rows(TABLE, left, _frame([7, 9], [2.0, 1.0], "y"), names, LOOSE, arrays)
    assert (worded.is_within, "toy.notes" in worded.sentence) == (False, True)


def test_rows_that_lost_a_number_differ() -> None:
    left, right = _frame([1], [1.0]), _frame([1], [1.0])
    right.loc[0, "size_nm_std"] = np.nan
    assert not verify.compare_rows(TABLE, left, right, ({1: "a"}, {1: "a"}), LOOSE, (_none, _none)).is_within


def test_arrays_are_read_where_their_references_differ() -> None:
    digest = "0" * 40
    left, right = _frame([1], [1.0], f"height_nm/{digest}"), _frame([1], [1.0], f"height_nm/{digest[:-1]}1")
    names = ({1: "a"}, {1: "a"})

    def array(value: float) -> verify.ReadArray:
        return lambda _: np.array([10.0, value])

    assert verify.compare_rows(TABLE, left, right, names, LOOSE, (array(1.0), array(1.005))).is_within
    assert not verify.compare_rows(TABLE, left, right, names, LOOSE, (array(1.0), array(1.5))).is_within


def test_a_data_version_does_not_know_ids() -> None:
    left, right = _frame([1, 2], [1.0, 2.0]), _frame([5, 6], [1.0, 2.0], entity=9)
    versions = {
        data_version({"toy": frame}, [], names)
        for frame, names in ((left, {1: "a", 2: "b"}), (right, {5: "a", 6: "b"}), (right, {5: "a", 6: "c"}))
    }
    assert len(versions) == 2
    assert list(content(left, {1: "a"}).file_id) == ["a", "unknown"]


def test_what_a_figure_draws_does_not_know_ids() -> None:
    assert digest_of(_frame([1, 2], [1.0, 2.0])) == digest_of(_frame([5, 6], [1.0, 2.0], entity=9))
    assert digest_of(_frame([1, 2], [1.0, 2.0])) != digest_of(_frame([1, 2], [1.0, 2.5]))


def test_rows_come_in_the_order_of_paths() -> None:
    rows = in_order_of_names(
        lambda _sql, _values: [{"id": 1, "name": "b"}, {"id": 2, "name": "a"}], _frame([1, 2], [1.0, 2.0]), ("file_id",)
    )
    assert list(rows.file_id) == [2, 1]


def test_environments_differ_by_what_bits_rest_on() -> None:
    one = {"python": "3.11", "platform": "l", "processor": "p", "device": "cpu", "packages": {"numpy": "2", "x": "1"}}
    assert verify.differences(one, {**one, "packages": {"NumPy": "2", "x": "2"}}) == []
    told = verify.differences(one, {**one, "processor": "q", "packages": {"numpy": "3"}})
    assert told == ["processor: was p, is q", "numpy: was 2, is 3"]


def _row(asset: str, quantity: str, value: float, sigma: float | None = 0.5) -> dict[str, object]:
    return {
        "asset": asset, "growth_id": "A", "series": None, "quantity": quantity, "subject": "", "unit": "nm",
        "source_file": None, "value": value, "sigma": sigma,
    }  # fmt: skip


def test_a_difference_stands_in_units_of_the_former_sigma() -> None:
    before = [_row("a", "x_nm", 1.0), _row("a", "x_nm", 5.0), _row("a", "y_nm", 1.0, None), _row("a", "z_nm", 1.0)]
    after = [_row("a", "x_nm", 2.0, 1.0), _row("a", "x_nm", 5.0), _row("a", "y_nm", 2.0, None), _row("a", "w_nm", 1.0)]
    found = {(c.quantity, c.kind): c for c in diff.changes(before, after, {("A", "a"): "code: f changed"})}
    kinds = {"x_nm changed", "x_nm same", "y_nm changed", "z_nm vanished", "w_nm new"}
    assert {" ".join(key) for key in found} == kinds
    assert found["x_nm", "changed"].pull == 2.0
    assert found["y_nm", "changed"].pull is None
    assert found["x_nm", "changed"].reason == "code: f changed"
    assert found["x_nm", "same"].reason == ""
    table = diff.markdown("rutile diff 1 2", list(found.values()))
    assert "of 5 numbers 2 changed, 1 are new, 1 vanished" in table
    assert "| x_nm | 2 | 1 | 0 | 0 | +2 | +2 | 2 |" in table
    assert diff.markdown("rutile diff 1 1", diff.changes(before, before)).count("\n") == 1
