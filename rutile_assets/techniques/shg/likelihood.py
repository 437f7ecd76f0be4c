"""Poisson likelihood of |sum of tensors|^2: many starts together, the rank of what the data tell, its covariance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from rutile_assets.physics.counting import deviance_residual
from rutile_assets.physics.second_harmonic import at_azimuth

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

NULL = 1e-6
THINNED = {4: 16, 12: 5}  # after so many steps, so many starts go on
NOTHING = 1e-9  # amplitude of a tensor of elements 1 that counts as none
LEAST_COUNTS = 1e-6
GAIN = 1e-7  # of the log-likelihood, where the search ends


@dataclass(frozen=True)
class ShgPoints:
    """Counts of a film's scans, all channels.

    Parameters
    ----------
    azimuth_deg, polariser_deg, analyser_deg : ndarray
        (N,) sample's azimuth; polariser and analyser, 0 p, 90 s [deg].
    counts : ndarray
        (N,) detected counts.
    exposure : ndarray
        (N,) relative time times squared laser power; its mean is about 1.
    background_counts : ndarray
        (N,) expected counts without light [counts].
    """

    azimuth_deg: FloatArray
    polariser_deg: FloatArray
    analyser_deg: FloatArray
    counts: FloatArray
    exposure: FloatArray
    background_counts: FloatArray


@dataclass(frozen=True)
class Hypothesis:
    """One kind of response.

    Parameters
    ----------
    name, source : str
        What it is called; ``dipole``, ``quadrupole`` or ``both``.
    coefficients : ndarray
        (N, 2 H + 1, M) azimuth harmonics at each point, of tensors that the data tell apart.
    groups : ndarray
        (M,) 0 for the dipole's tensors, 1 for the quadrupole's.
    is_complex : bool
        Whether each factor has its own phase. Else the factors are real, and one phase stands between the groups.
    """

    name: str
    source: str
    coefficients: ComplexArray
    groups: npt.NDArray[np.int64]
    is_complex: bool

    @cached_property
    def tensors(self) -> int:
        """Number of tensors M."""
        return int(self.coefficients.shape[2])

    @property
    def has_phase(self) -> bool:
        """Whether one phase stands between two groups of real factors."""
        return not self.is_complex and len(set(self.groups.tolist())) == 2

    @property
    def size(self) -> int:
        """Number of parameters: factors, phase, azimuth offset, log10 of the background where it is free."""
        return self.tensors * (2 if self.is_complex else 1) + int(self.has_phase) + 2

    def elements(self, vectors: FloatArray) -> ComplexArray:
        """Return the complex factors, (S, M), of parameter vectors, (S, P)."""
        m = self.tensors
        if self.is_complex:
            return np.asarray(vectors[:, :m] + 1j * vectors[:, m : 2 * m])
        factors = vectors[:, :m].astype(np.complex128)
        if self.has_phase:
            factors = factors * np.where(self.groups == 1, np.exp(1j * vectors[:, m : m + 1]), 1.0)
        return factors


@dataclass(frozen=True)
class ShgFit:
    """The best fit of one hypothesis.

    Parameters
    ----------
    hypothesis : Hypothesis
        What was fitted.
    vector : ndarray
        (P,) factors, phase, azimuth offset [rad], background shift [counts].
    jacobian : ndarray
        (N, P) of the expected counts, the columns of what was held fixed 0.
    expected : ndarray
        (N,) expected counts.
    log_likelihood : float
        Natural, complete.
    rank : int
        Number of parameters that the data tell, at generic values of them.
    bic : float
        -2 log L + rank log N.
    deviance : float
        Twice the distance of log L from that of a model that goes through every point.
    """

    hypothesis: Hypothesis
    vector: FloatArray
    jacobian: FloatArray
    expected: FloatArray
    log_likelihood: float
    rank: int
    bic: float
    deviance: float


def fit(
    points: ShgPoints,
    hypothesis: Hypothesis,
    rng: np.random.Generator,
    *,
    offset_deg: float,
    is_background_free: bool,
    starts: int = 48,
    steps: int = 60,
) -> ShgFit:
    """Return the maximum of the likelihood: Fisher scoring with damping from many random starts at once.

    The intensity leaves signs and phases of the amplitudes open, so the likelihood has several maxima.

    Parameters
    ----------
    points : ShgPoints
        What was counted.
    hypothesis : Hypothesis
        What may radiate.
    rng : Generator
        Of the starts.
    offset_deg : float
        The azimuth's zero may be off by so much, either way [deg].
    is_background_free : bool
        Whether a background equal for all points is fitted on top of the known one.
    starts, steps : int
        How many starts, thinned out as in `THINNED`, and at most how many steps.
    """
    bound = np.radians(offset_deg)
    vectors = _starts(points, hypothesis, rng, starts, bound)
    moving = np.ones(hypothesis.size)
    moving[-1] = float(is_background_free)
    vectors[:, -1] = 0.02 * points.counts.mean() * moving[-1]
    damping = np.full(len(vectors), 1e-2)
    value, expected, jacobian = _evaluate(points, hypothesis, vectors)
    rank = _generic_rank(jacobian[:3] * moving)
    for step in range(steps):
        weighted = jacobian / expected[:, :, None]
        gradient = np.einsum("snp,sn->sp", weighted, points.counts - expected) * moving
        information = np.einsum("snp,snq->spq", weighted, jacobian, optimize=True) * moving[:, None] * moving
        scale = np.einsum("spp->sp", information)
        ridge = damping[:, None] * scale + 1e-9 * scale.max(axis=1, keepdims=True) + LEAST_COUNTS
        information[:, np.arange(hypothesis.size), np.arange(hypothesis.size)] += ridge
        trial = vectors + np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        trial[:, -2] = np.clip(trial[:, -2], -bound, bound)
        trial[:, -1] = np.maximum(trial[:, -1], 0.0)
        new_value, new_expected, new_jacobian = _evaluate(points, hypothesis, trial)
        better = new_value > value
        gain = np.where(better, new_value - value, 0.0)
        vectors = np.where(better[:, None], trial, vectors)
        value = np.where(better, new_value, value)
        expected = np.where(better[:, None], new_expected, expected)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
        damping = np.where(better, np.maximum(damping / 5.0, 1e-9), np.minimum(damping * 6.0, 1e6))
        best = int(np.argmax(value))
        if (gain[best] < GAIN and (better[best] or damping[best] >= 1e4)) and gain.max() < 1e-2:
            break
        if step in THINNED:  # go on with the promising ones alone
            ahead = np.argsort(value)[-THINNED[step] :]
            vectors, value, expected = vectors[ahead], value[ahead], expected[ahead]
            jacobian, damping = jacobian[ahead], damping[ahead]
    best = int(np.argmax(value))
    return _finished(points, hypothesis, vectors[best], expected[best], jacobian[best] * moving, rank)


def _starts(
    points: ShgPoints, hypothesis: Hypothesis, rng: np.random.Generator, starts: int, bound: float
) -> FloatArray:
    vectors = rng.normal(size=(starts, hypothesis.size))
    offset = np.clip(rng.normal(size=starts), -1.0, 1.0) * 0.5 * bound
    offset[: starts // 2] = 0.0
    vectors[:, -2], vectors[:, -1] = offset, 0.0
    if hypothesis.has_phase:
        vectors[:, hypothesis.tensors] = rng.uniform(-np.pi, np.pi, size=starts)
    _, expected, _ = _evaluate(points, hypothesis, vectors)
    net = np.maximum(points.counts.sum() - points.background_counts.sum(), 1.0)
    size = np.sqrt(net / np.maximum(expected.sum(axis=1) - points.background_counts.sum(), LEAST_COUNTS))
    vectors[:, : hypothesis.size - 2 - int(hypothesis.has_phase)] *= size[:, None]
    return vectors


def _evaluate(
    points: ShgPoints, hypothesis: Hypothesis, vectors: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log-likelihood without its constant, (S,); expected counts, (S, N); their Jacobian, (S, N, P)."""
    harmonics = np.arange(hypothesis.coefficients.shape[1]) - hypothesis.coefficients.shape[1] // 2
    offsets = vectors[:, -2]
    waves = np.exp(1j * harmonics * (np.radians(points.azimuth_deg)[None, :, None] - offsets[:, None, None]))
    amplitudes = np.einsum("snh,nhm->snm", waves, hypothesis.coefficients, optimize=True)
    turned = np.einsum("snh,nhm->snm", waves * (-1j * harmonics), hypothesis.coefficients, optimize=True)
    elements = hypothesis.elements(vectors)
    total = np.einsum("snm,sm->sn", amplitudes, elements)
    exposure, conjugate = points.exposure, np.conj(total)
    expected = exposure * np.abs(total) ** 2 + points.background_counts + vectors[:, -1:]
    expected = np.maximum(expected, LEAST_COUNTS)
    columns = []
    if hypothesis.is_complex:
        inner = conjugate[:, :, None] * amplitudes
        columns += [2.0 * inner.real, -2.0 * inner.imag]
    else:
        phases = elements / np.where(vectors[:, : hypothesis.tensors] == 0, 1.0, vectors[:, : hypothesis.tensors])
        columns.append(2.0 * np.real(conjugate[:, :, None] * amplitudes * phases[:, None, :]))
        if hypothesis.has_phase:
            second = np.einsum("snm,sm->sn", amplitudes, np.where(hypothesis.groups == 1, elements, 0.0))
            columns.append(2.0 * np.real(conjugate * 1j * second)[:, :, None])
    columns.append(2.0 * np.real(conjugate * np.einsum("snm,sm->sn", turned, elements))[:, :, None])
    jacobian = np.concatenate(columns, axis=2) * exposure[None, :, None]
    ones = np.ones((*expected.shape, 1))
    value = np.sum(points.counts * np.log(expected) - expected, axis=1)
    return value, expected, np.concatenate([jacobian, ones], axis=2)


def _generic_rank(jacobians: FloatArray) -> int:
    """Rank at random parameters, (S, N, P): at a best fit of equal phases or without one part it may be lower."""
    ranks = []
    for jacobian in jacobians:
        norm = np.linalg.norm(jacobian, axis=0)
        singular = np.linalg.svd(jacobian / np.where(norm > 0, norm, 1.0), compute_uv=False)
        ranks.append(int(np.sum(singular > NULL * singular[0])))
    return max(ranks)


def _finished(
    points: ShgPoints,
    hypothesis: Hypothesis,
    vector: FloatArray,
    expected: FloatArray,
    jacobian: FloatArray,
    rank: int,
) -> ShgFit:
    log_likelihood = float(np.sum(points.counts * np.log(expected) - expected - gammaln(points.counts + 1.0)))
    deviance = float(np.sum(deviance_residual(points.counts, expected) ** 2))
    bic = -2.0 * log_likelihood + rank * float(np.log(len(points.counts)))
    return ShgFit(hypothesis, vector, jacobian, expected, log_likelihood, rank, bic, deviance)


def identifiable(coefficients: ComplexArray, points: ShgPoints) -> ComplexArray:
    """Return combinations of tensors whose amplitudes the points tell apart.

    Parameters
    ----------
    coefficients : ndarray
        (N, 2 H + 1, M) azimuth harmonics at each point.
    points : ShgPoints
        Where it was measured, (N,) points.

    Returns
    -------
    ndarray
        (M, R) orthonormal columns; R is the rank of the amplitudes.
    """
    amplitudes = at_azimuth(coefficients, points.azimuth_deg)
    _, singular, rows = np.linalg.svd(np.vstack([amplitudes.real, amplitudes.imag]), full_matrices=False)
    if not len(singular) or singular[0] < NOTHING:
        return np.zeros((coefficients.shape[2], 0), dtype=np.complex128)
    return np.asarray(rows[singular > NULL * singular[0]].T, dtype=np.complex128)
