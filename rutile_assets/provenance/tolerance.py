"""How far a recomputed number may lie from the recorded one, declared once, on the asset; and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_RECOMPUTED = "could not be recomputed"
CODE_CHANGED = "code changed"
OUT_OF_DATE = "out of date"
NOT_IN_SAMPLE = "not in this sample"
VERDICTS = (IDENTICAL, WITHIN, DIFFERS, NOT_RECOMPUTED, CODE_CHANGED, OUT_OF_DATE, NOT_IN_SAMPLE)
FAILURES = (DIFFERS, NOT_RECOMPUTED)  # what makes a verification fail


@dataclass(frozen=True)
class Tolerance:
    """What an asset promises of a recomputation from the same bytes with the same code and parameters.

    Parameters
    ----------
    is_bit_exact : bool
        The same machine and packages give the same bits, whatever the number of threads and processes.
    in_sigma : float
        Elsewhere: how far a value may lie off, in its own sigma; a sigma itself by this part of it.
    relative : float
        Elsewhere, for what has no sigma: how far off, as a part of the largest magnitude in its column.
    why : str
        What makes it differ, where it is not the last bits of another machine's arithmetic.
    """

    is_bit_exact: bool = True
    in_sigma: float = 0.01
    relative: float = 1e-6
    why: str = ""

    def words(self, *, exact: bool) -> str:
        """Return the tolerance that holds, in words for a row of ``verification``."""
        return "bit-exact" if exact else f"{self.in_sigma:g} sigma, {self.relative:g} relative"


HOUSE = Tolerance()
