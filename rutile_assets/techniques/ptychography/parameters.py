"""What a person may choose about a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PtychographyParameters:
    """What a person may choose about a reconstruction.

    Parameters
    ----------
    recipe : str
        A name of `RECIPES`: ``fast`` (20 slices of 0.5 nm, two modes) or ``paper``.
    thickness_nm : float
        Of the reconstructed volume; 0 takes the sample's from the calibration.
    modes : int
        Probe modes; 0 takes the recipe's.
    most_iterations : int
        Of each stage; 0 takes the recipe's.
    has_halves : bool
        Whether two halves of the diffraction patterns are reconstructed apart, for resolution and spread: it takes as
        long again.
    has_live_picture : bool
        Whether the mean phase is written after each iteration as a PNG beside the checkpoint, whose path is told.
    device : str
        ``auto`` takes a GPU where there is one, else the CPU.
    workers : int
        Threads over positions on the CPU.
    seed : int
        Of the order of the diffraction patterns and of the withheld ones.
    """

    recipe: str = "fast"
    thickness_nm: float = 0.0
    modes: int = 0
    most_iterations: int = 0
    has_halves: bool = True
    has_live_picture: bool = False
    device: str = "auto"
    workers: int = 2
    seed: int = 0
