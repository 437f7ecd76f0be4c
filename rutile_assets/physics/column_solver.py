"""Levenberg and Marquardt's method for a model of atom columns, with weak assumptions for what an image leaves open."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.physics.block_tridiagonal import Bordered
from rutile_assets.physics.column_model import (
    PER_COLUMN,
    PER_SPECIES,
    Model,
    Normal,
    Picture,
    Shapes,
    normal_equations,
    reach_angstrom,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

ITERATIONS = 60
SETTLED = 0.1  # the step that a model still asks for, squared, in standard deviations of all parameters together
FARTHEST_STEP_ANGSTROM = 0.15
START_STD_ANGSTROM = 0.3  # of a start position: holds columns that the image does not show
OUTSIDE_ANGSTROM, OUTSIDE_STD_ANGSTROM = 0.3, 0.1  # of columns farther out: a flank does not tell place and height
# standard deviations of what is assumed beforehand: core and tail over the starting core, share, ellipse
SHAPE_STD = (0.5, 0.8, 0.3, 0.2, 0.2)
BACKGROUND_STD = 3.0  # of the background's splines, over the height of the highest species
SLAB_IN_REACHES = 1.5


@dataclass(frozen=True)
class Assumed:
    """What is assumed before the image is seen: values and precisions of columns (C, 3) and of what they share (K,)."""

    columns: FloatArray
    column_precision: FloatArray
    border: FloatArray
    border_precision: FloatArray

    def misfit(self, model: Model) -> tuple[FloatArray, FloatArray]:
        """Return what is assumed less what the model says, of the columns and of what they share."""
        columns = np.concatenate([model.positions_angstrom, model.height[:, None]], axis=1)
        return self.columns - columns, self.border - np.concatenate([model.shapes.vector, model.background])

    def cost(self, model: Model) -> float:
        """Return the sum of squares of `misfit` in units of its standard deviation."""
        columns, border = self.misfit(model)
        return float((self.column_precision * columns**2).sum() + (self.border_precision * border**2).sum())


def _assumed(model: Model, picture: Picture) -> Assumed:
    core = model.shapes.core_angstrom[0]
    typical = np.array([np.median(model.height[model.kind == s]) for s in range(len(model.shapes.core_angstrom))])
    deviation = np.full((len(model.height), PER_COLUMN), START_STD_ANGSTROM)
    far = (np.array(picture.values.shape) - 1) * picture.pixel_angstrom
    out = np.maximum(-model.positions_angstrom, model.positions_angstrom - far).max(axis=1) > OUTSIDE_ANGSTROM
    deviation[out] = OUTSIDE_STD_ANGSTROM
    deviation[:, 2] = np.maximum(np.abs(typical[model.kind]), 1e-12)
    shapes = np.tile(np.array(SHAPE_STD) * np.array([core, core, 1.0, 1.0, 1.0]), len(typical))
    smooth = np.full(len(model.background), BACKGROUND_STD * float(deviation[:, 2].max()))
    precision = np.concatenate([shapes, smooth]) ** -2.0
    values = np.concatenate([model.positions_angstrom, typical[model.kind][:, None]], axis=1)
    return Assumed(values, deviation**-2.0, np.concatenate([model.shapes.vector, model.background]), precision)


@dataclass(frozen=True)
class Solved:
    """A model at its minimum.

    Parameters
    ----------
    model, normal, order : Model, Normal, ndarray
        Parameters, their normal equations, and the order of the columns in these.
    system : Bordered
        The inverse of the normal matrix with what is assumed; times the residual's variance it is the covariance.
    freedom : int
        Pixels less parameters.
    is_converged : bool
        Positions stood still.
    """

    model: Model
    normal: Normal
    system: Bordered
    order: IntArray
    freedom: int
    is_converged: bool


def minimised(model: Model, picture: Picture) -> Solved:
    """Return the least squares from a starting model.

    Raises
    ------
    FitFailed
        Two columns cannot be told apart.
    """
    assumed = _assumed(model, picture)
    parameters = PER_COLUMN * len(model.height) + PER_SPECIES * len(model.shapes.core_angstrom) + len(model.background)
    freedom = max(int(picture.valid.sum()) - parameters, 1)
    order, sizes = slabs(model)
    normal = normal_equations(model, picture, order, sizes)
    brake, is_converged = 1e-3, False
    for _ in range(ITERATIONS):
        variance = max(normal.sum_of_squares / freedom, 1e-300)
        columns, border, asked = _step(model, normal, order, assumed, variance, brake)
        moved = _bounded(model.moved(columns, border), model)
        order_new, sizes = slabs(moved)
        tried = normal_equations(moved, picture, order_new, sizes)
        gain = normal.sum_of_squares - tried.sum_of_squares
        gain += variance * (assumed.cost(model) - assumed.cost(moved))
        if not gain > -1e-9 * normal.sum_of_squares:
            brake *= 5.0
            if brake > 1e6:
                break
            continue
        model, normal, order = moved, tried, order_new
        is_converged = asked < SETTLED
        brake = max(0.3 * brake, 1e-9)
        if is_converged:
            break
    system = _system(normal, order, assumed, max(normal.sum_of_squares / freedom, 1e-300), 0.0)
    return Solved(model, normal, system, order, freedom, is_converged)


def slabs(model: Model) -> tuple[IntArray, list[int]]:
    """Return the columns in order of slabs across the longer side, and how many stand in each."""
    extent = np.ptp(model.positions_angstrom, axis=0)
    along = model.positions_angstrom[:, int(np.argmax(extent))]
    slab = np.floor((along - along.min()) / (SLAB_IN_REACHES * reach_angstrom(model))).astype(np.intp)
    order = np.argsort(slab, kind="stable").astype(np.intp)
    return order, [int(n) for n in np.bincount(slab)]


def _system(normal: Normal, order: IntArray, assumed: Assumed, variance: float, brake: float) -> Bordered:
    added = variance * assumed.column_precision[order].ravel()
    added = added + brake * normal.matrix.diagonal_values()
    corner = np.diag(normal.corner)
    lift = variance * assumed.border_precision + (brake + 1e-12) * corner
    try:
        return Bordered(normal.matrix.factored(added), normal.border, normal.corner + np.diag(lift))
    except np.linalg.LinAlgError as fault:
        raise FitFailed(
            "columns that the image cannot tell apart",
            "start positions at least half an angstrom from each other, and an image that shows columns",
            "Look at the start positions on the image.",
        ) from fault


def _step(
    model: Model, normal: Normal, order: IntArray, assumed: Assumed, variance: float, brake: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return the damped step (C, 3) of the columns, that of what they share, and its square in standard deviations."""
    columns, border = assumed.misfit(model)
    right = normal.right + variance * (assumed.column_precision * columns)[order].ravel()
    right_corner = normal.right_corner + variance * assumed.border_precision * border
    system = _system(normal, order, assumed, variance, brake)
    upper, lower = system.solve(right[:, None], right_corner[:, None])
    asked = float(upper[:, 0] @ right + lower[:, 0] @ right_corner) / variance
    step = np.empty((len(order), PER_COLUMN))
    step[order] = upper.reshape(-1, PER_COLUMN)
    step[:, :2] = np.clip(step[:, :2], -FARTHEST_STEP_ANGSTROM, FARTHEST_STEP_ANGSTROM)
    return step, lower[:, 0], asked


def _bounded(model: Model, before: Model) -> Model:
    """Return the model with shapes that stay columns: each changes by at most a fifth in a step."""
    old, new = before.shapes, model.shapes
    core = np.clip(new.core_angstrom, 0.8 * old.core_angstrom, 1.25 * old.core_angstrom)
    tail = np.clip(new.tail_angstrom, 0.8 * old.tail_angstrom, 1.25 * old.tail_angstrom)
    tail = np.clip(tail, 1.3 * core, 5.0 * core)
    shapes = Shapes(core, tail, np.clip(new.tail_share, 0.0, 0.5), np.clip(new.ellipse, -0.5, 0.5))
    return replace(model, shapes=shapes)
