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
    is_bit_exact_on_gpu : bool
        The same where an NVIDIA driver is present: sums on a GPU need not be in the same order.
    in_sigma : float
        Elsewhere: how far a value may lie off, in its own sigma; a sigma itself by this part of it.
    relative : float
        Elsewhere, for what has no sigma: how far off, as a part of the largest magnitude in its column.
    why : str
        What makes it differ, where it is not the last bits of another machine's arithmetic.
    """

    is_bit_exact: bool = True
    is_bit_exact_on_gpu: bool = True
    in_sigma: float = 0.001
    relative: float = 1e-5
    why: str = ""

    def promises_bits(self, device: str | None) -> bool:
        """Tell whether bits are promised on a machine with this device (``cpu`` or ``cuda``)."""
        return self.is_bit_exact and (self.is_bit_exact_on_gpu or device == "cpu")

    def words(self, *, exact: bool) -> str:
        """Return the tolerance that holds, in words for a row of ``verification``."""
        return "bit-exact" if exact else f"{self.in_sigma:g} sigma, {self.relative:g} relative"


HOUSE = Tolerance()
ON_GPU = Tolerance(
    is_bit_exact_on_gpu=False,
    in_sigma=0.1,
    relative=1e-2,
    why="single precision, and a GPU does not always sum in the same order",
)
