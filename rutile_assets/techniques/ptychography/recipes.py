"""How a reconstruction is run: named, frozen, comparable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from rutile_assets.errors import InvalidRecord
from rutile_assets.techniques.ptychography.noise import NoiseName

Method = Literal["momentum", "lsqml"]


@dataclass(frozen=True)
class Stage:
    """One stage of a schedule.

    Parameters
    ----------
    iterations : int
        At most so many passes over the patterns.
    padding : int
        1, or 2 to zero-pad the patterns (real-space sampling is halved; the padded angles count as not measured).
    method : str
        "momentum": fixed step lengths and heavy-ball momentum. "lsqml": step lengths of object and probe by least
        squares on some positions of each batch, without momentum.
    noise : str
        "amplitude", "anscombe" or "poisson".
    modes : int or None
        Probe modes of this stage, at most the recipe's; None: the recipe's. Modes that a stage adds start weak.
    batch : int
        Positions between two updates; more where an iteration would take more than 20 updates, so that each update
        sees the same part of a large scan as of a small one.
    object_step, probe_step, momentum : float
        Parts of the preconditioned step that are taken; part of the last step that is taken again.
    step_decay : float
        Both steps are multiplied by it after each iteration: below 1, the noise of the batches dies out.
    damping : float
        Added to the depth coupling before it is inverted: the larger, the slower what varies in depth moves.
    damping_k_per_angstrom : float
        Finer detail than this is damped more, by ``1 + (k / k0)^4`` [1/angstrom].
    depth_weight : float
        Weight of ``(V_{s+1} - V_s)^2 / 2`` against the data's own curvature, for slices of 5 angstrom; it is scaled to
        the slice so that the same gradient per angstrom costs the same.
    depth_filter : float
        fold_slice's ``regularize_layers``: the filter ``1 - (2/pi) arctan((beta kz / kr)^2)`` after each iteration;
        0: none.
    stiff_iterations : int
        The first iterations with a depth weight so large that the object hardly varies in depth.
    trust_rad : float
        No pixel of a slice moves further in one update [rad].
    heal_until : int
        First iterations after which columns that are rings in some slices are put back to the mean of their peaks.
    positivity : bool
        Whether the projected potential stays at or above 0.
    probe_from, positions_from, tilt_from : int or None
        First iteration that updates the probe, the positions, the mistilt; None: never.
    patience : int
        Stop after so many iterations without a better withheld error; 0: never.
    """

    iterations: int
    padding: int = 1
    method: Method = "momentum"
    noise: NoiseName = "anscombe"
    modes: int | None = None
    batch: int = 20
    object_step: float = 0.25
    probe_step: float = 0.3
    momentum: float = 0.5
    step_decay: float = 1.0
    damping: float = 0.5
    damping_k_per_angstrom: float = 1.5
    depth_weight: float = 1.0
    depth_filter: float = 0.0
    stiff_iterations: int = 0
    trust_rad: float = 0.2
    heal_until: int = 0
    positivity: bool = True
    probe_from: int | None = 0
    positions_from: int | None = None
    tilt_from: int | None = None
    patience: int = 4


@dataclass(frozen=True)
class Recipe:
    """A schedule of stages.

    Parameters
    ----------
    name : str
        As it is shown and stored.
    modes, slices : int
        M and S.
    slice_angstrom : float
        Distance from slice to slice [angstrom].
    stages : tuple of Stage
        In order.
    withheld_fraction : float
        Part of the patterns that never enter a gradient and decide when to stop.
    seed : int
        Of the order of the patterns and of the withheld ones.
    checkpoint_every : int
        Iterations.

    Raises
    ------
    InvalidRecord
        A number is out of its range, in a sentence.
    """

    name: str
    modes: int
    slices: int
    slice_angstrom: float
    stages: tuple[Stage, ...]
    withheld_fraction: float = 0.04
    seed: int = 0
    checkpoint_every: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        positive = (
            self.modes >= 1 and self.slices >= 1 and self.slice_angstrom > 0 and len(self.stages) >= 1
            and self.checkpoint_every >= 1 and 0 <= self.withheld_fraction < 0.5
        )  # fmt: skip
        if not positive:
            raise _broken(f"recipe {self.name!r} with a count, a thickness or a fraction out of range")
        paddings = [stage.padding for stage in self.stages]
        if paddings != sorted(paddings) or not set(paddings) <= {1, 2}:
            raise _broken(f"paddings {paddings} in recipe {self.name!r} (1 or 2, never back to 1)")
        for stage in self.stages:
            if stage.modes is not None and not 1 <= stage.modes <= self.modes:
                raise _broken(f"a stage of recipe {self.name!r} with {stage.modes} modes of {self.modes}")
            if stage.iterations < 1 or stage.batch < 1 or not 0 <= stage.momentum < 1 or stage.damping <= 0:
                raise _broken(
                    f"a stage of recipe {self.name!r} with iterations, batch, momentum or damping out of range"
                )

    def modes_of(self, index: int) -> int:
        """Return the probe modes of stage `index`."""
        return self.stages[index].modes or self.modes

    @property
    def thickness_angstrom(self) -> float:
        """Slices times their distance [angstrom]."""
        return self.slices * self.slice_angstrom

    def for_thickness(self, thickness_angstrom: float) -> Recipe:
        """Return the same recipe with the slice count that keeps its slice at this thickness."""
        slices = max(1, round(thickness_angstrom / self.slice_angstrom))
        return replace(self, slices=slices, slice_angstrom=thickness_angstrom / slices)


def _broken(found: str) -> InvalidRecord:
    return InvalidRecord(found, "counts of at least 1 and fractions within their range", "Correct the recipe.")


FAST = Recipe(
    "fast", modes=4, slices=20, slice_angstrom=5.0,
    stages=(
        Stage(10, modes=1, object_step=0.4, heal_until=10, probe_from=8, patience=0),
        Stage(12, modes=2, heal_until=4, patience=0),
        Stage(3, noise="poisson", step_decay=0.7, patience=0),
    ),
)  # fmt: skip
"""20 slices of 5 angstrom; the object first, then the probe, then all modes with the unbiased likelihood.

The last stage is short: on ../shared/sim4dstem/lower.raw columns stay where they are after one iteration, and more
only fit the noise (chi-square of all patterns 0.90 after 20, 0.92 after 14, 0.93 after 3; of withheld ones 1.09).
"""

_AS_PUBLISHED = Stage(
    300, 1, "lsqml", object_step=0.5, probe_step=0.5, depth_weight=0.0, depth_filter=0.1, positivity=False, patience=0
)
PAPER = Recipe(
    "paper", modes=16, slices=20, slice_angstrom=10.0,
    stages=(_AS_PUBLISHED, replace(_AS_PUBLISHED, padding=2)),
    withheld_fraction=0.0,
)  # fmt: skip
"""The two stages of doi 10.1038/s41467-026-69200-x: 16 modes, 20 slices of 1 nm, depth regularisation 0.1."""

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (FAST, PAPER)}
