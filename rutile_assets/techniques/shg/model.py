"""Which symmetry radiates: the electric dipole of mm2, the electric quadrupole of 4/mmm, both, or no telling.

The (110) surface of 4/mmm rutile is itself mm2, and so is a film of polar mm2 on it: one azimuth scan finds the
dipole's tensor and cannot tell surface, buried interface and polar film apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.physics.second_harmonic import (
    CHANNELS,
    ComplexArray,
    azimuth_coefficients,
    channel_angles,
    invariant_tensors,
    point_coefficients,
)
from rutile_assets.techniques.shg.likelihood import (
    Hypothesis,
    ShgFit,
    ShgPoints,
    fit,
    identifiable,
)

FloatArray = npt.NDArray[np.float64]

DIPOLE, QUADRUPOLE, BOTH = "electric dipole mm2", "electric quadrupole 4/mmm", "both"
UNDECIDED = "undecided"
VERDICTS = (DIPOLE, QUADRUPOLE, BOTH, UNDECIDED)
CAVEAT = (
    "A (110) surface of 4/mmm rutile is itself mm2 and radiates as the same dipole tensor: this alone proves no polar"
    " film. The dependence on thickness, or a buried interface, must tell."
)
NORMAL_DEG = 2.0
PHASES = ("one", "free", "either")
ALIKE = 5.0  # of the log-likelihood


@dataclass(frozen=True)
class ShgFitParameters:
    """How the symmetry is told.

    Parameters
    ----------
    refractive_index, extinction, refractive_index_doubled, extinction_doubled : float
        n and k of the film at the fundamental and at the second harmonic; 1 and 0 make the tensor an effective one in
        vacuum.
    phases : str
        ``one`` where the elements of a tensor have one phase, ``free`` where each has its own (a metal known to),
        ``either`` to try both: then one tensor of free phases is told from two tensors of one phase only where the
        likelihood tells them apart, not by the number of parameters.
    offset_deg : float
        The azimuth's zero may be off by so much, either way [deg].
    least_delta_bic : float
        Difference of BIC below which no symmetry is told from the next best, and of twice the log-likelihood below
        which dipole and quadrupole are not told apart.
    fewest_counts : float
        Counts in the highest point below which nothing is told [counts].
    largest_chi_square : float
        Deviance per degree of freedom of the best model above which none of them describes the data.
    highest_harmonic : int
        Highest order in the table of harmonics.
    dipole_elements, quadrupole_elements : list of float, optional
        Shape of each tensor, from films of one kind: its elements in the order of `element_names`, in any unit. With
        both the dipole's part of the intensity is told; the file's sidecar may give them, too.
    """

    refractive_index: float = 1.0
    extinction: float = 0.0
    refractive_index_doubled: float = 1.0
    extinction_doubled: float = 0.0
    phases: str = "either"
    offset_deg: float = 10.0
    least_delta_bic: float = 10.0
    fewest_counts: float = 20.0
    largest_chi_square: float = 2.0
    highest_harmonic: int = 8
    dipole_elements: list[float] | None = None
    quadrupole_elements: list[float] | None = None


@dataclass(frozen=True)
class Symmetry:
    """What a film's scans say.

    Parameters
    ----------
    verdict : str
        One of `VERDICTS`.
    fits : tuple of ShgFit
        Each hypothesis, dipole, quadrupole and both, with elements of one phase and of their own phases.
    best : ShgFit
        The one of least BIC.
    delta_bic : float
        BIC of the best quadrupole minus BIC of the best dipole: positive for the dipole.
    margin_bic : float
        BIC of the next best kind minus BIC of the best.
    notes : tuple of str
        What must be said beside the verdict.
    """

    verdict: str
    fits: tuple[ShgFit, ...]
    best: ShgFit
    delta_bic: float
    margin_bic: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Response:
    """The tensors of both sources at one angle of incidence.

    Parameters
    ----------
    dipole, quadrupole : ndarray
        (2, 2, 2, 2 H + 1, M) azimuth harmonics of the amplitudes, M = 5 and 8.
    """

    dipole: ComplexArray
    quadrupole: ComplexArray


def response(incidence_deg: float, chosen: ShgFitParameters) -> Response:
    """Return the amplitudes of mm2's dipole and 4/mmm's quadrupole at an angle of incidence [deg]."""
    single = complex(chosen.refractive_index, chosen.extinction)
    double = complex(chosen.refractive_index_doubled, chosen.extinction_doubled)
    return Response(
        azimuth_coefficients(invariant_tensors("mm2", 3), incidence_deg, single, double),
        azimuth_coefficients(invariant_tensors("4/mmm", 4), incidence_deg, single, double),
    )


def hypotheses(points: ShgPoints, seen: Response) -> tuple[Hypothesis, ...]:
    """Return the six hypotheses: dipole, quadrupole, both; each with factors of one phase, then with free phases.

    The tensors are combinations that the points tell apart: 4 of the dipole's 5 and 6 of the quadrupole's 8 where four
    channels were measured at one angle of incidence. Together they span but 7: four channels at one angle do not tell
    how much is dipole and how much quadrupole, unless the shape of each is known (`mixture.py`).

    Parameters
    ----------
    points : ShgPoints
        Where it was measured, (N,) points.
    seen : Response
        At the angle of incidence.
    """
    dipole = point_coefficients(seen.dipole, points.polariser_deg, points.analyser_deg)
    quadrupole = point_coefficients(seen.quadrupole, points.polariser_deg, points.analyser_deg)
    bases = identifiable(dipole, points), identifiable(quadrupole, points)
    dipole, quadrupole = dipole @ bases[0], quadrupole @ bases[1]
    together = np.concatenate([dipole, quadrupole], axis=2)
    joint = together @ identifiable(together, points)
    groups = np.repeat([0, 1], [dipole.shape[2], quadrupole.shape[2]])
    rows = (
        ("dipole", dipole, groups[groups == 0], dipole, groups[groups == 0]),
        ("quadrupole", quadrupole, groups[groups == 1], quadrupole, groups[groups == 1]),
        ("both", together, groups, joint, np.zeros(joint.shape[2], dtype=np.int64)),
    )
    found = []
    for name, real, real_groups, free, free_groups in rows:
        if free.shape[2] == 0:
            continue
        found.append(Hypothesis(f"{name}, one phase", name, real, real_groups, False))
        found.append(Hypothesis(f"{name}, free phases", name, free, free_groups, True))
    return tuple(found)


def decide(
    points: ShgPoints,
    incidence_deg: float,
    chosen: ShgFitParameters,
    rng: np.random.Generator,
    *,
    is_background_free: bool = False,
) -> Symmetry:
    """Tell the symmetry of the second harmonic by BIC, or that it cannot be told.

    BIC prefers a dipole to a quadrupole of the same shape for its fewer parameters; a verdict therefore needs the other
    tensor to be less likely as well, by `least_delta_bic` in twice the log-likelihood, whatever its phases.

    I(phi) = exposure |sum of elements times amplitudes|^2 + background, counts by Poisson's law; the number of
    parameters in BIC is the rank of the Jacobian. Elements of a metal are complex: each hypothesis is tried with one
    phase for all its elements and with free ones, and the better counts.

    Parameters
    ----------
    points : ShgPoints
        (N,) points of one film at one angle of incidence.
    incidence_deg : float
        Angle of incidence [deg].
    chosen : ShgFitParameters
        How.
    rng : Generator
        Of the starts.
    is_background_free : bool
        Whether nobody told the background.

    Raises
    ------
    FitFailed
        Fewer points than parameters.
    InvalidRecord
        `phases` is none of the three.
    """
    if len(points.counts) < 24:
        raise FitFailed(f"{len(points.counts)} points", "24 or more", "Measure a whole turn in each channel.")
    seen = response(incidence_deg, chosen)
    if chosen.phases not in PHASES:
        raise InvalidRecord(f"phases {chosen.phases!r}", f"one of {', '.join(PHASES)}", "Correct rutile.yaml.")
    kept = {"one": (False,), "free": (True,), "either": (False, True)}[chosen.phases]
    tried = [one for one in hypotheses(points, seen) if one.is_complex in kept]
    fits = tuple(
        fit(points, one, rng, offset_deg=chosen.offset_deg, is_background_free=is_background_free) for one in tried
    )
    least = {
        name: min((f.bic for f in fits if f.hypothesis.source == name), default=np.inf)
        for name in ("dipole", "quadrupole", "both")
    }
    order = sorted(least, key=lambda name: least[name])
    margin = least[order[1]] - least[order[0]]
    best = min(fits, key=lambda f: f.bic)
    reasons = [
        *_reasons(points, incidence_deg, chosen, best, margin),
        *_not_excluded(fits, order[0], chosen),
        *_alike(fits, best),
    ]
    verdict = UNDECIDED if reasons else {"dipole": DIPOLE, "quadrupole": QUADRUPOLE, "both": BOTH}[order[0]]
    notes = [CAVEAT, *reasons]
    if best.hypothesis.is_complex:
        notes.append("The elements have phases of their own, as those of a metal.")
    return Symmetry(verdict, fits, best, float(least["quadrupole"] - least["dipole"]), float(margin), tuple(notes))


def measured_channels(points: ShgPoints) -> tuple[str, ...]:
    """Return which of pp, ps, sp, ss were measured, each on 8 azimuths or more of the (N,) points."""
    found = []
    for channel in CHANNELS:
        polariser, analyser = channel_angles(channel)
        here = in_channel(points, polariser, analyser)
        if len(np.unique(np.round(np.mod(points.azimuth_deg[here], 360.0), 3))) >= 8:
            found.append(channel)
    return tuple(found)


def in_channel(points: ShgPoints, polariser_deg: float, analyser_deg: float) -> npt.NDArray[np.bool_]:
    """Tell which of the (N,) points have these angles [deg] of polariser and analyser, half a turn being the same."""

    def same(angle: FloatArray, wanted: float) -> npt.NDArray[np.bool_]:
        return np.abs(np.mod(angle - wanted + 90.0, 180.0) - 90.0) < 1e-6

    return same(points.polariser_deg, polariser_deg) & same(points.analyser_deg, analyser_deg)


def _reasons(
    points: ShgPoints, incidence_deg: float, chosen: ShgFitParameters, best: ShgFit, margin: float
) -> list[str]:
    reasons = []
    missing = [channel for channel in CHANNELS if channel not in measured_channels(points)]
    if missing:
        reasons.append(f"No azimuth scan in {', '.join(missing)}: four channels are needed to tell the symmetry.")
    if abs(incidence_deg) < NORMAL_DEG:
        reasons.append("At normal incidence the dipole of mm2 with its axis along the normal gives nothing.")
    highest = float(np.max(points.counts - points.background_counts))
    if highest < chosen.fewest_counts:
        reasons.append(f"The highest point has {highest:.0f} counts: {chosen.fewest_counts:.0f} are needed.")
    misfit = best.deviance / max(len(points.counts) - best.rank, 1)
    if misfit > chosen.largest_chi_square:
        reasons.append(f"No model describes the data: deviance per degree of freedom {misfit:.2f}.")
    if margin < chosen.least_delta_bic:
        reasons.append(f"The next best kind is {margin:.1f} in BIC away: {chosen.least_delta_bic:g} are needed.")
    return reasons


def _not_excluded(fits: tuple[ShgFit, ...], winner: str, chosen: ShgFitParameters) -> list[str]:
    """Three of the quadrupole's six combinations look like a dipole: fewer parameters alone are no evidence."""
    loser = {"dipole": "quadrupole", "quadrupole": "dipole"}.get(winner)
    likely = {
        source: max((f.log_likelihood for f in fits if f.hypothesis.source == source), default=-np.inf)
        for source in (winner, loser)
    }
    if loser is None or 2.0 * (likely[winner] - likely[loser]) >= chosen.least_delta_bic:
        return []
    return [f"A {loser} describes it as well, with more parameters: the {winner} is only the simpler one."]


def _alike(fits: tuple[ShgFit, ...], best: ShgFit) -> list[str]:
    mixed = [f for f in fits if f.hypothesis.has_phase]
    if not mixed or not best.hypothesis.is_complex or best.hypothesis.source == "both":
        return []
    if best.log_likelihood - mixed[0].log_likelihood > ALIKE:
        return []
    return [
        f"A {best.hypothesis.source} whose elements have free phases and a mixture of both tensors describe it alike:"
        " set `phases` if the elements are known to be complex."
    ]
