"""From the maps of a film to its relaxation along [001] and [1-10]: one direction is never read from a mixed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.estimate import Estimate
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.reciprocal import Reflection
from rutile_assets.techniques.rsm.fit import MapFit, second_fraction
from rutile_assets.techniques.rsm.model import Q110_FILM, Q110_SECOND, Q_FILM, Q_SECOND

FloatArray = npt.NDArray[np.float64]

DIRECTIONS = ("001", "1m10")
NULL = 1e-6
MIXED = (
    "{hkl} has both in-plane components: alone it says nothing about either direction. Measure (332) for [001] or (310)"
    " for [1-10] besides."
)


def component_estimate(fit: MapFit) -> Estimate:
    """Return the film's centre in a map: each component's, and the mean weighted with their intensities.

    Quantities ``q_parallel_per_angstrom`` (along the substrate's in-plane direction) and ``q_110_per_angstrom``;
    subjects are the reflection and, of two components, their number.
    """
    hkl = "".join(map(str, fit.plane.reflection.hkl))
    parallel = fit.plane.reflection.parallel

    def centres(vector: FloatArray) -> FloatArray:
        found = [vector[Q_FILM] + parallel, vector[Q110_FILM]]
        if fit.components == 2:
            part = second_fraction(vector)
            found += [vector[Q_SECOND] + parallel, vector[Q110_SECOND]]
            found = [(1 - part) * found[0] + part * found[2], (1 - part) * found[1] + part * found[3], *found]
        return np.array(found)

    values, covariance = propagate(centres, fit.vector, fit.covariance)
    subjects = [hkl] if fit.components == 1 else [hkl, f"{hkl} component 1", f"{hkl} component 2"]
    return Estimate(
        ("q_parallel_per_angstrom", "q_110_per_angstrom") * len(subjects),
        values,
        covariance,
        "rod and film coherent in a reciprocal space map, zeros from the substrate's peak, Poisson likelihood",
        "covariance",
        tuple(s for s in subjects for _ in range(2)),
        {},
        fit.notes,
    )


def propagate(
    function: Callable[[FloatArray], FloatArray], vector: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return function(vector), (Q,), and its covariance (Q, Q) to first order, by central differences of sigma/100."""
    steps = 0.01 * np.sqrt(np.maximum(np.diag(covariance), 1e-20))
    columns = []
    for i, step in enumerate(steps):
        move = np.zeros_like(vector)
        move[i] = step
        columns.append((function(vector + move) - function(vector - move)) / (2.0 * step))
    jacobian = np.array(columns).T
    return function(vector), jacobian @ covariance @ jacobian.T


def in_plane(here: Reflection, relaxed: FloatArray, substrate: str, film: str, lattices: str) -> float:
    """Return where a film's reflection stands along the substrate's in-plane direction [1/angstrom].

    Parameters
    ----------
    here : Reflection
        Of the substrate.
    relaxed : ndarray
        (2,) relaxation R = (a_film - a_sub)/(a_bulk - a_sub) along [001] and [1-10].
    substrate, film, lattices : str
        Materials and lattice set.
    """
    bulk, below = rutile(film, lattices), rutile(substrate, lattices)
    c = below.c_angstrom + relaxed[0] * (bulk.c_angstrom - below.c_angstrom)
    a = below.a_angstrom + relaxed[1] * (bulk.a_angstrom - below.a_angstrom)
    h, k, m = here.hkl
    q = np.array([2.0 * np.pi * m / c, 2.0 * np.pi * (h - k) / (np.sqrt(2.0) * a)])
    return float(q @ np.array([here.q_001, here.q_1m10]) / here.parallel)


def relaxation_estimate(
    reflections: Sequence[Reflection],
    q_parallel: FloatArray,
    q_parallel_std: FloatArray,
    substrate: str,
    film: str,
    lattices: str,
) -> tuple[Estimate | None, list[str]]:
    """Return the relaxation along each direction that the maps tell, and what must be said.

    Parameters
    ----------
    reflections : sequence of Reflection
        (M,) the substrate's reflection of each map.
    q_parallel, q_parallel_std : ndarray
        (M,) the film's centre along the substrate's in-plane direction, and one sigma [1/angstrom].
    substrate, film, lattices : str
        Materials and lattice set.

    Returns
    -------
    Estimate or None
        ``relaxation_001_fraction`` and ``relaxation_1m10_fraction`` as far as told: 0 coherent, 1 bulk, negative or
        above 1 beyond either. None where no direction is told.
    notes : list of str
        Which maps tell nothing, and by which lattices the numbers stand.
    """

    def shift(relaxed: FloatArray) -> FloatArray:
        found = [in_plane(r, relaxed, substrate, film, lattices) for r in reflections]
        return (np.array(found) - q_parallel) / q_parallel_std

    slopes = np.array([shift(np.array(one)) - shift(np.zeros(2)) for one in ((1.0, 0.0), (0.0, 1.0))]).T
    norm = np.linalg.norm(slopes, axis=0)
    scaled = slopes / np.where(norm > 0, norm, 1.0)
    _, singular, rows = np.linalg.svd(scaled)
    singular = np.append(singular, np.zeros(2 - len(singular)))
    hidden = [row for row, s in zip(rows, singular, strict=True) if s < NULL * max(singular[0], 1.0)]
    told = [i for i in range(2) if norm[i] > 0 and all(abs(row[i]) < NULL for row in hidden)]
    mixed = ["".join(map(str, r.hkl)) for r in reflections if r.q_001 and r.q_1m10]
    notes = [MIXED.format(hkl=hkl) for hkl in mixed] if len(told) < 2 else []
    if not told:
        return None, notes
    found = least_squares(lambda free: shift(_full(free, told)), np.zeros(len(told)), x_scale=0.1, xtol=1e-14)
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    spare = len(reflections) - len(told) - (len(mixed) if len(told) < 2 else 0)
    if spare > 0:
        covariance = covariance * max(1.0, 2.0 * found.cost / spare)
    bulk = rutile(film, lattices)
    notes.append(
        f"Bulk lattices {lattices}: {film} a {bulk.a_angstrom:g}, c {bulk.c_angstrom:g} angstrom ({bulk.source})."
    )
    estimate = Estimate(
        tuple(f"relaxation_{DIRECTIONS[i]}_fraction" for i in told),
        found.x,
        covariance,
        "in-plane lattice of the film against the substrate's on the same maps, between coherent (0) and bulk (1)",
        "covariance",
        (),
        {},
        tuple(notes),
    )
    return estimate, notes


def _full(free: FloatArray, told: Sequence[int]) -> FloatArray:
    relaxed = np.zeros(2)
    relaxed[list(told)] = free
    return relaxed
