"""One work function scale from contact potentials under many tips, each tip tied to a reference that it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

FloatArray = npt.NDArray[np.float64]

JUMP_SIGMAS = 4.0
CHANCE = 1e-3


@dataclass(frozen=True)
class Visit:
    """A sample under a tip.

    Parameters
    ----------
    sample, session : str
        Which sample, and which session of which tip.
    hours : float
        Middle of the visit, from any zero that the session's visits share [h]; NaN where unknown.
    v_cpd_v, v_cpd_std_v : float
        Contact potential, tip bias with the sample grounded, and its own error [V].
    """

    sample: str
    session: str
    hours: float
    v_cpd_v: float
    v_cpd_std_v: float


@dataclass(frozen=True)
class Reference:
    """A sample whose work function is known from elsewhere.

    Parameters
    ----------
    sample : str
        Which.
    work_function_ev, std_ev : float
        Its work function and the statistical error [eV].
    shifts_ev : mapping of str to float
        Named systematic effects: one-sigma shifts [eV]; one name moves all references together.
    """

    sample: str
    work_function_ev: float
    std_ev: float
    shifts_ev: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TipHabits:
    """What a lab knows of its tips.

    Parameters
    ----------
    drift_v_per_h : float
        How fast a tip's work function drifts, one sigma; two references of a session measure it [V/h].
    session_h : float
        Length of a session of which nobody noted the times [h].
    """

    drift_v_per_h: float = 0.003
    session_h: float = 8.0


@dataclass(frozen=True)
class Scale:
    """Work functions of samples on one scale.

    Parameters
    ----------
    samples : tuple of str
        (S,) in the order of their first visit.
    values_ev : ndarray
        (S,) work functions.
    covariance_ev2 : ndarray
        (S, S) statistical covariance, that of shared tips and of the references included.
    systematics_ev : mapping of str to ndarray
        Effect of the references -> (S,) one-sigma shifts.
    own_std_ev : ndarray
        (S,) the part of a sample's error that no other sample shares.
    left_out : mapping of str to str
        Sample -> why it has no number.
    drift_v_per_h : mapping of str to float
        Session -> what its references say.
    notes : tuple of str
        What a reader must know.
    """

    samples: tuple[str, ...]
    values_ev: FloatArray
    covariance_ev2: FloatArray
    systematics_ev: Mapping[str, FloatArray]
    own_std_ev: FloatArray
    left_out: Mapping[str, str]
    drift_v_per_h: Mapping[str, float]
    notes: tuple[str, ...]


def sessions(tips: Sequence[str], hours: FloatArray, gap_h: float) -> list[str]:
    """Return which session each visit belongs to: one tip, without a longer pause than `gap_h`.

    Parameters
    ----------
    tips : sequence of str
        (V,) the tip of each visit.
    hours : ndarray
        (V,) from one zero [h]; NaN, where unknown, parts nothing.
    gap_h : float
        [h].
    """
    found = [""] * len(tips)
    for tip in dict.fromkeys(tips):
        mine = sorted((i for i, other in enumerate(tips) if other == tip), key=lambda i: float(np.nan_to_num(hours[i])))
        number = 1
        for turn, place in enumerate(mine):
            if turn and hours[place] - hours[mine[turn - 1]] > gap_h:
                number += 1
            found[place] = f"{tip}, session {number}"
    return found if any(not name.endswith(" 1") for name in found) else list(tips)


def one_scale(visits: Sequence[Visit], references: Sequence[Reference], habits: TipHabits | None = None) -> Scale:
    r"""Return the work functions of all samples that share a tip's session with a reference.

    Weighted least squares of

    .. math:: e V_{sk} = \phi_k + d_k (\tau - \bar\tau_k) - \Phi_s,\qquad \Phi_r = \Phi_r^{\mathrm{UPS}}

    over the tip of each session (work function phi_k, drift d_k) and the samples. For one reference visited once it is
    :math:`\Phi_i = \Phi_{ref} + e(V_{ref} - V_i)` with
    :math:`C_{ij} = \sigma_{ref}^2 + \sigma_{V_{ref}}^2 + \delta_{ij}\sigma_{V_i}^2`, and sigma_ref^2 alone for the
    reference itself. Where two visits of a reference differ by more than drift explains, the tip has changed at an
    unknown moment between them: a step D adds :math:`D^2 f_i (1 - f_j)` (f the part of the time gone, the earlier one
    first) to the covariance.

    Parameters
    ----------
    visits : sequence of Visit
        All.
    references : sequence of Reference
        All; one that was visited in no session ties nothing.
    habits : TipHabits, optional
        What the lab knows of its tips.
    """
    habits = habits or TipHabits()
    known = {reference.sample for reference in references}
    tied = {visit.session for visit in visits if visit.sample in known}
    used = [visit for visit in visits if visit.session in tied]
    samples = tuple(dict.fromkeys(visit.sample for visit in used))
    left_out = {
        visit.sample: f"no reference was measured under the same tip ({visit.session})"
        for visit in visits
        if visit.sample not in samples
    }
    anchors = [reference for reference in references if reference.sample in samples]
    if not samples:
        nothing = np.zeros((0, 0))
        return Scale((), np.zeros(0), nothing, {}, np.zeros(0), left_out, {}, ())
    return _solved(used, samples, anchors, left_out, habits)


def _solved(
    visits: Sequence[Visit],
    samples: tuple[str, ...],
    references: Sequence[Reference],
    left_out: Mapping[str, str],
    habits: TipHabits,
) -> Scale:
    names = list(dict.fromkeys(visit.session for visit in visits))
    rows, tips = len(visits), len(names)
    count = len(samples) + 2 * tips
    design = np.zeros((rows + len(references) + tips, count))
    target, errors = np.zeros(len(design)), np.zeros((len(design), len(design)))
    own = np.zeros(rows)
    notes: list[str] = []
    for turn, name in enumerate(names):
        places = [i for i, visit in enumerate(visits) if visit.session == name]
        time = _since_middle([visits[i].hours for i in places])
        for i, tau in zip(places, time, strict=True):
            visit = visits[i]
            design[i, samples.index(visit.sample)] = -1.0
            design[i, len(samples) + turn] = 1.0
            design[i, len(samples) + tips + turn] = 0.0 if np.isnan(tau) else tau
            untimed = (habits.drift_v_per_h * habits.session_h) ** 2 / 12.0 if np.isnan(tau) else 0.0
            target[i], own[i] = visit.v_cpd_v, visit.v_cpd_std_v**2 + untimed
        steps, told = _changes(visits, places, time, references, habits, name)
        errors[np.ix_(places, places)] += steps
        notes += told
        prior = rows + len(references) + turn
        design[prior, len(samples) + tips + turn] = 1.0
        errors[prior, prior] = habits.drift_v_per_h**2
    errors[:rows, :rows] += np.diag(own)
    for turn, reference in enumerate(references):
        design[rows + turn, samples.index(reference.sample)] = 1.0
        target[rows + turn] = reference.work_function_ev
        errors[rows + turn, rows + turn] = reference.std_ev**2
    shifts = _shifts(references, rows, len(design))
    whole = errors + sum(np.outer(s, s) for s in shifts.values()) + 1e-18 * np.eye(len(design))
    weighted = np.linalg.solve(whole, design)
    gain = np.linalg.solve(design.T @ weighted, weighted.T)
    found, off = gain @ target, target - design @ (gain @ target)
    covariance = gain @ errors @ gain.T
    chi_square, freedom = float(off @ np.linalg.solve(whole, off)), len(design) - count
    if freedom > tips and chi2.sf(chi_square, freedom) < CHANCE:
        notes.append(
            f"Visits under the tips disagree by more than their errors (chi-square {chi_square:.0f} of {freedom}): "
            "tips drift in another way than along a line, or a sample changed."
        )
    here = slice(0, len(samples))
    visited = design[:rows, : len(samples)].T != 0.0
    alone = np.sqrt(np.sum(gain[here, :rows] ** 2 * own * visited, axis=1))
    ties = {reference.sample for reference in references}
    alone = np.where([s in ties for s in samples], 0.0, alone)
    drifts = {name: float(found[len(samples) + tips + turn]) for turn, name in enumerate(names)}
    return Scale(
        samples,
        found[here],
        covariance[here, here],
        {effect: gain[here] @ shift for effect, shift in shifts.items()},
        alone,
        left_out,
        drifts,
        tuple(notes),
    )


def _since_middle(hours: Sequence[float]) -> FloatArray:
    """Return times about their mean, (V,) [h]; NaN where unknown."""
    given = np.array(hours, dtype=float)
    known = given[np.isfinite(given)]
    return given - (known.mean() if len(known) else 0.0)


def _shifts(references: Sequence[Reference], first: int, count: int) -> dict[str, FloatArray]:
    shifts: dict[str, FloatArray] = {}
    for turn, reference in enumerate(references):
        for effect, shift in reference.shifts_ev.items():
            shifts.setdefault(effect, np.zeros(count))[first + turn] = shift
    return shifts


def _changes(
    visits: Sequence[Visit],
    places: Sequence[int],
    time: FloatArray,
    references: Sequence[Reference],
    habits: TipHabits,
    name: str,
) -> tuple[FloatArray, list[str]]:
    """Return what steps of the tip between two visits of a reference add to the covariance, and say so."""
    added, notes = np.zeros((len(places), len(places))), []
    for reference in references:
        seen = [k for k, i in enumerate(places) if visits[i].sample == reference.sample and np.isfinite(time[k])]
        seen.sort(key=lambda k: float(time[k]))
        for before, after in pairwise(seen):
            first, last = visits[places[before]], visits[places[after]]
            step, lapse = last.v_cpd_v - first.v_cpd_v, time[after] - time[before]
            usual = np.sqrt(first.v_cpd_std_v**2 + last.v_cpd_std_v**2 + (habits.drift_v_per_h * lapse) ** 2)
            if abs(step) <= JUMP_SIGMAS * usual or lapse <= 0.0:
                continue
            gone = np.clip((time - time[before]) / lapse, 0.0, 1.0)
            gone = np.where(np.isfinite(gone), gone, 0.5)
            earlier, later = np.minimum.outer(gone, gone), np.maximum.outer(gone, gone)
            added += step**2 * earlier * (1.0 - later)
            notes.append(
                f"{name}: the reference reads {1e3 * step:+.0f} mV after {lapse:.1f} h, more than drift explains: "
                "the tip has changed, and the samples between carry the step as an error."
            )
    return added, notes
