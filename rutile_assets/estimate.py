"""Estimates: values with a covariance, named systematic parts, and the method that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.units import STD_SOURCES, unit_of

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Quantities estimated together.

    Parameters
    ----------
    quantities : tuple of str
        (Q,) names that carry their unit, e.g. ``thickness_nm``. A name may stand more than once when
        `subjects` tells the entries apart (thickness of each layer).
    values : ndarray
        (Q,) values in the units of the names.
    covariance : ndarray
        (Q, Q) statistical covariance; NaN where unknown.
    method : str
        How the values were made, in words a referee understands.
    std_source : str
        One of `rutile_assets.units.STD_SOURCES`: where the statistical covariance comes from.
    subjects : tuple of str
        (Q,) what each quantity belongs to: a layer ("1 RuO2"), a temperature ("300 K"), "" for the film.
    systematics : mapping of str to ndarray
        Name of an effect -> (Q,) one-sigma shifts, signed. One effect moves all its quantities together.
    notes : tuple of str
        Sentences a reader of the number must know (misfit, not identifiable, at a bound).

    Raises
    ------
    FitFailed
        Shapes disagree, a value is not finite, a name carries no unit or the source is not in the table.
    """

    quantities: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    method: str
    std_source: str
    subjects: tuple[str, ...] = ()
    systematics: Mapping[str, FloatArray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and names, so that a wrong estimate never reaches the lake."""
        count = len(self.quantities)
        values = np.asarray(self.values, dtype=float)
        covariance = np.asarray(self.covariance, dtype=float)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "subjects", self.subjects or ("",) * count)
        object.__setattr__(self, "systematics", {k: np.asarray(v, dtype=float) for k, v in self.systematics.items()})
        shapes_agree = (
            values.shape == (count,)
            and covariance.shape == (count, count)
            and len(self.subjects) == count
            and all(v.shape == (count,) for v in self.systematics.values())
        )
        if not shapes_agree:
            raise _broken(
                f"values {values.shape} and covariance {covariance.shape} for {count} quantities", "equal sizes"
            )
        if not np.isfinite(values).all():
            raise _broken(f"values {values.tolist()} for {self.quantities}", "finite numbers")
        if self.std_source not in STD_SOURCES:
            raise _broken(f"uncertainty source {self.std_source!r}", f"one of {', '.join(STD_SOURCES)}")
        for quantity in self.quantities:
            if unit_of(quantity) is None:
                raise _broken(f"quantity {quantity!r}", "a name that ends in a unit of units.py")

    @property
    def statistical_std(self) -> FloatArray:
        """(Q,) one-sigma statistical uncertainty; NaN where unknown."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def systematic_std(self) -> FloatArray:
        """(Q,) quadrature sum of the named systematic parts; 0 where none is named."""
        squares = [v**2 for v in self.systematics.values()]
        total: FloatArray = np.sqrt(np.sum(squares, axis=0)) if squares else np.zeros(len(self.quantities))
        return total

    @property
    def total_covariance(self) -> FloatArray:
        """(Q, Q) statistical covariance plus one rank-1 term for each systematic effect."""
        total = self.covariance.copy()
        for shift in self.systematics.values():
            total += np.outer(shift, shift)
        return total

    @property
    def std(self) -> FloatArray:
        """(Q,) total one-sigma uncertainty: statistical and systematic in quadrature; NaN where unknown."""
        return np.sqrt(np.diag(self.total_covariance))

    def value(self, quantity: str, subject: str = "") -> float:
        """Return the value of one quantity."""
        return float(self.values[self._index(quantity, subject)])

    def sigma(self, quantity: str, subject: str = "") -> float:
        """Return the total one-sigma uncertainty of one quantity."""
        return float(self.std[self._index(quantity, subject)])

    def part(self, places: Sequence[int]) -> Estimate:
        """Return the estimate of some of the quantities, by their places."""
        chosen = list(places)
        return replace(
            self,
            quantities=tuple(self.quantities[i] for i in chosen),
            values=self.values[chosen],
            covariance=self.covariance[np.ix_(chosen, chosen)],
            subjects=tuple(self.subjects[i] for i in chosen),
            systematics={name: shift[chosen] for name, shift in self.systematics.items()},
        )

    def _index(self, quantity: str, subject: str) -> int:
        pairs = list(zip(self.quantities, self.subjects, strict=True))
        if (quantity, subject) not in pairs:
            raise _broken(f"no {quantity!r} of {subject!r}", f"one of {pairs}")
        return pairs.index((quantity, subject))


def _broken(found: str, expected: str) -> FitFailed:
    return FitFailed(found, expected, "This is a fault of the analysis code: report it with the file that shows it.")
