"""Numbers of the lake side by side: found by what they are, subtracted with what they share, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.provenance.film import Films
from rutile_assets.units import unit_of

AGREES, DISAGREES, UNTOLD = VERDICTS = ("agrees", "disagrees", "cannot be told")
TOGETHER = ("adsorbate", "shared thickness")  # effects that move the numbers of all assets at once
SIGMAS = 2.0
INDEPENDENT = "Errors taken as independent."


@dataclass(frozen=True)
class Number:
    """A number with its error, and what leads to it.

    Parameters
    ----------
    name : str
        What it is, in words.
    value, std : float
        In `unit`; `std` is one sigma, NaN where unknown.
    unit : str
        As in ``result``.
    result_id, entity_id : int or None
        The row of ``result`` and the version of the asset that it comes from; None where it is a constant.
    shifts : mapping of (int or None, str) to float
        (Entity, effect) -> one-sigma shift of what it shares with others, within `std`. The entity is None for effects
        of `TOGETHER`.
    """

    name: str
    value: float
    std: float
    unit: str = ""
    result_id: int | None = None
    entity_id: int | None = None
    shifts: Mapping[tuple[int | None, str], float] = field(default_factory=dict)

    def times(self, factor: float, name: str, unit: str) -> Number:
        """Return the number in another unit, or times an exact factor."""
        shifts = {effect: factor * shift for effect, shift in self.shifts.items()}
        return replace(self, name=name, value=factor * self.value, std=abs(factor) * self.std, unit=unit, shifts=shifts)

    def covariance(self, other: Number) -> float:
        """Return the covariance with another number from the named effects that both share."""
        return float(sum(shift * other.shifts.get(effect, 0.0) for effect, shift in self.shifts.items()))


def exact(name: str, value: float, unit: str) -> Number:
    """Return a number without an error: a constant, or a bound that is chosen."""
    return Number(name, value, 0.0, unit)


@dataclass(frozen=True)
class Judgement:
    """Two numbers beside each other.

    Parameters
    ----------
    left, right : Number or None
        The numbers; None where there is none.
    verdict, note : str
        One of `VERDICTS`, and why.
    is_compared : bool
        Whether their difference means something.
    """

    left: Number | None
    right: Number | None
    verdict: str
    note: str = ""
    is_compared: bool = True

    @property
    def difference(self) -> float | None:
        """Left minus right."""
        if self.left is None or self.right is None or not self.is_compared:
            return None
        return self.left.value - self.right.value

    @property
    def difference_std(self) -> float | None:
        """One sigma of it, with the covariance of what both share; None where unknown."""
        if self.left is None or self.right is None or not self.is_compared:
            return None
        return _known(difference_std(self.left, self.right))


def difference_std(left: Number, right: Number) -> float:
    """Return one sigma of a difference; NaN where one of both is unknown."""
    variance = left.std**2 + right.std**2 - 2.0 * left.covariance(right)
    return float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else float("nan")


def missing(*wanted: tuple[Number | None, str]) -> Judgement | None:
    """Return that it cannot be told, with what is missing, or None where nothing is."""
    lacking = [what for number, what in wanted if number is None]
    if not lacking:
        return None
    found = [number for number, _ in wanted][:2]
    left, right = (*found, None)[:2]
    return Judgement(left, right, UNTOLD, f"Missing: {'; '.join(lacking)}.", is_compared=False)


def same(left: Number, right: Number, tolerance: float = 0.0, blunt: float = float("inf"), note: str = "") -> Judgement:
    """Judge whether two numbers are the same.

    They agree within the tolerance or two sigma; a difference whose sigma exceeds `blunt` says nothing.

    Parameters
    ----------
    left, right : Number
        In one unit.
    tolerance, blunt : float
        In that unit.
    note : str
        What a reader must know.
    """
    off, std = abs(left.value - right.value), difference_std(left, right)
    if not left.covariance(right) and left.std > 0 and right.std > 0:
        note = f"{note} {INDEPENDENT}".strip()
    if not np.isfinite(std):
        if off <= tolerance:
            return Judgement(left, right, AGREES, f"{note} One error is unknown.".strip())
        return Judgement(left, right, UNTOLD, f"{note} An error is unknown, so what 2 sigma are, too.".strip())
    if off > tolerance and std > blunt:
        return Judgement(left, right, UNTOLD, f"{note} One sigma of the difference is {std:.2g}: too blunt.".strip())
    return Judgement(left, right, AGREES if off <= max(tolerance, SIGMAS * std) else DISAGREES, note)


def at_most(left: Number, right: Number, note: str = "") -> Judgement:
    """Judge whether a number is at most another one; within two sigma of it that cannot be told."""
    over, std = left.value - right.value, difference_std(left, right)
    if not np.isfinite(std):
        return Judgement(left, right, UNTOLD, f"{note} An error is unknown.".strip())
    if abs(over) < SIGMAS * std:
        return Judgement(left, right, UNTOLD, f"{note} The bound stands within 2 sigma.".strip())
    return Judgement(left, right, AGREES if over <= 0.0 else DISAGREES, note)


class LakeNumbers:
    """The current numbers of some assets, each found by film or series, quantity and subject.

    Parameters
    ----------
    films : Films
        What an asset sees.
    assets : iterable of str
        The assets whose numbers are asked for.
    """

    def __init__(self, films: Films, assets: Iterable[str]) -> None:
        self._rows = {asset: self._indexed(films.numbers(asset)) for asset in assets}
        self._shifts: dict[int, list[tuple[str, float]]] = {}
        for asset in self._rows:
            effects = films.systematics(asset)
            for row in effects.to_dict("records") if len(effects) else []:
                self._shifts.setdefault(int(row["result_id"]), []).append((str(row["effect"]), float(row["shift"])))

    @staticmethod
    def _indexed(rows: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows.sort_values("result_id").to_dict("records") if len(rows) else []:
            owner = row["growth_id"] if pd.notna(row.get("growth_id")) else row.get("series")
            found.setdefault((str(owner), str(row["quantity"])), []).append({str(k): v for k, v in row.items()})
        return found

    def all(self, asset: str, owner: str, quantity: str, name: str) -> dict[str, Number]:
        """Return subject -> the newest number of a film or series."""
        rows = self._rows[asset].get((owner, quantity), [])
        return {str(row["subject"]): self._number(row, quantity, name) for row in rows}

    def find(self, asset: str, owner: str, quantity: str, name: str, *subjects: str) -> Number | None:
        """Return the newest number of a film or series for the first of the subjects that there is ('' without)."""
        found = self.all(asset, owner, quantity, name)
        return next((found[subject] for subject in subjects or ("",) if subject in found), None)

    def warmest(self, asset: str, owner: str, quantity: str, name: str) -> tuple[Number, float, str] | None:
        """Return the number at the highest temperature, the temperature [K] and the subject that names it."""
        known = self._by_temperature(asset, owner, quantity)
        if not known:
            return None
        kelvin, row = known[-1]
        return self._number(row, quantity, name), kelvin, str(row["subject"])

    def coldest(self, asset: str, owner: str, quantity: str, name: str) -> Number | None:
        """Return the number at the lowest temperature."""
        known = self._by_temperature(asset, owner, quantity)
        return self._number(known[0][1], quantity, name) if known else None

    def _by_temperature(self, asset: str, owner: str, quantity: str) -> list[tuple[float, Mapping[str, Any]]]:
        rows = self._rows[asset].get((owner, quantity), [])
        known = {k: row for row in rows if (k := _kelvin(row)) is not None}
        return sorted(known.items())

    def films_with(self, asset: str, quantity: str) -> set[str]:
        """Return the films and series that have a number."""
        return {owner for owner, q in self._rows[asset] if q == quantity}

    def _number(self, row: Mapping[str, Any], quantity: str, name: str) -> Number:
        result_id, entity_id = int(row["result_id"]), int(row["entity_id"])
        shifts = {
            (None if effect in TOGETHER else entity_id, effect): shift
            for effect, shift in self._shifts.get(result_id, [])
        }
        return Number(
            name=name,
            value=float(row["value"]),
            std=number_or_nan(row["sigma"]),
            unit=unit_of(quantity) or "",
            result_id=result_id,
            entity_id=entity_id,
            shifts=shifts,
        )


def _kelvin(row: Mapping[str, Any]) -> float | None:
    stated = row.get("temperature_k")
    if pd.notna(stated):
        return float(stated)
    words = str(row["subject"]).split()
    return float(words[0]) if len(words) == 2 and words[1] == "K" else None


def number_or_nan(value: Any) -> float:
    """Return a cell of a table as a number, NaN where it is NULL."""
    return float(value) if pd.notna(value) else float("nan")


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
