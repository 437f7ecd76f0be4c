r"""Model of an image of atom columns and its normal equations, summed over tiles of the image.

.. math:: I(r) = b(r) + \sum_i h_i \left[(1 - w_s) e^{-|r - r_i|^2 / 2 \sigma_s^2}
          + w_s e^{-|r - r_i|^2 / 2 \tau_s^2}\right]

with core, tail and the tail's share (sigma, tau, w) shared by all columns of a species s, and one smooth background b.
Gaussians separate into rows and columns, so a tile's model, gradient and normal matrix are a few matrix products and
exact sums over its pixels; where pixels are missing the Jacobian is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import legvander

from rutile_assets.physics.block_tridiagonal import BlockTridiagonal

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

TILE_PIXELS = 64
REACH_IN_TAILS = 4.2  # a column is not felt beyond this many widths of its tail: 1.5e-4 of the tail's height
PER_COLUMN, PER_SPECIES = 3, 3  # y, x, height; core, tail, share
# moments along (rows, columns) of the derivative by y, x and height
MOMENTS = ((1, 0), (0, 1), (0, 0))


@dataclass(frozen=True)
class Shapes:
    """What columns look like, one entry a species.

    Parameters
    ----------
    core_angstrom, tail_angstrom : ndarray
        (S,) standard deviations of the two Gaussians [angstrom].
    tail_share : ndarray
        (S,) the tail's share of the height at the centre.
    """

    core_angstrom: FloatArray
    tail_angstrom: FloatArray
    tail_share: FloatArray

    @property
    def vector(self) -> FloatArray:
        """(3 S) core, tail and share, species by species."""
        return np.stack([self.core_angstrom, self.tail_angstrom, self.tail_share], axis=1).ravel()


@dataclass(frozen=True)
class Model:
    """Parameters of an image.

    Parameters
    ----------
    positions_angstrom : ndarray
        (C, 2) row and column of each atom column, from the centre of the first pixel [angstrom].
    height : ndarray
        (C,) above the background, in the image's unit.
    kind : ndarray
        (C,) index of its species.
    shapes : Shapes
        Of the species.
    background : ndarray
        (B,) coefficients of Legendre products, in the image's unit.
    """

    positions_angstrom: FloatArray
    height: FloatArray
    kind: IntArray
    shapes: Shapes
    background: FloatArray

    def moved(self, columns: FloatArray, border: FloatArray) -> Model:
        """Return the model with steps (C, 3) of the columns and (3 S + B,) of what they share."""
        shared = PER_SPECIES * len(self.shapes.core_angstrom)
        core, tail, share = (self.shapes.vector + border[:shared]).reshape(-1, PER_SPECIES).T
        return replace(
            self,
            positions_angstrom=self.positions_angstrom + columns[:, :2],
            height=self.height + columns[:, 2],
            shapes=Shapes(core, tail, share),
            background=self.background + border[shared:],
        )


@dataclass(frozen=True)
class Picture:
    """An image with what does not change while it is fitted.

    Parameters
    ----------
    values : ndarray
        (Y, X).
    valid : ndarray
        (Y, X) bool, False where a pixel is not to be used.
    pixel_angstrom : float
        [angstrom].
    order : int
        Of the background's polynomial in both directions together.
    """

    values: FloatArray
    valid: npt.NDArray[np.bool_]
    pixel_angstrom: float
    order: int

    def polynomials(self) -> tuple[FloatArray, FloatArray]:
        """Return the background's factors along rows (B, Y) and columns (B, X)."""
        y, x = (np.asarray(legvander(np.linspace(-1.0, 1.0, n), self.order).T, float) for n in self.values.shape)
        pairs = [(i, j) for i in range(self.order + 1) for j in range(self.order + 1 - i)]
        return y[[i for i, _ in pairs]], x[[j for _, j in pairs]]


@dataclass(frozen=True)
class Normal:
    """Normal equations J^T J step = J^T residual of a model.

    Parameters
    ----------
    matrix : BlockTridiagonal
        Of the columns, three unknowns each, in the order of the sums.
    border : ndarray
        (3 C, 3 S + B) between columns and what they share.
    corner : ndarray
        (3 S + B, 3 S + B) of what they share.
    right, right_corner : ndarray
        (3 C,) and (3 S + B,) J^T residual.
    sum_of_squares : float
        Of the residual.
    residual : ndarray
        (Y, X) image less model; 0 where a pixel is not used.
    """

    matrix: BlockTridiagonal
    border: FloatArray
    corner: FloatArray
    right: FloatArray
    right_corner: FloatArray
    sum_of_squares: float
    residual: FloatArray


@dataclass(frozen=True)
class _Tile:
    """Factors of all columns that reach a tile.

    `along_y` and `along_x` (2, 3, K, T): of core and tail, the Gaussian times powers 0, 1, 2 of the distance.
    `weight` (3, 2, K): of the derivatives by y, x, height, on core and tail.
    """

    rows: slice
    cols: slice
    columns: IntArray
    along_y: FloatArray
    along_x: FloatArray
    weight: FloatArray


def reach_angstrom(model: Model) -> float:
    """Return how far the widest column is felt [angstrom]."""
    return REACH_IN_TAILS * float(model.shapes.tail_angstrom.max())


def _tiles(model: Model, picture: Picture) -> Iterator[_Tile]:
    pixel, (height, width) = picture.pixel_angstrom, picture.values.shape
    reach = REACH_IN_TAILS * model.shapes.tail_angstrom[model.kind]
    y, x = model.positions_angstrom.T
    core, tail = model.shapes.core_angstrom[model.kind], model.shapes.tail_angstrom[model.kind]
    share = model.shapes.tail_share[model.kind]
    for top in range(0, height, TILE_PIXELS):
        bottom = min(top + TILE_PIXELS, height)
        in_rows = (y > top * pixel - reach) & (y < (bottom - 1) * pixel + reach)
        for left in range(0, width, TILE_PIXELS):
            right = min(left + TILE_PIXELS, width)
            k = np.flatnonzero(in_rows & (x > left * pixel - reach) & (x < (right - 1) * pixel + reach))
            widths = np.stack([core[k], tail[k]])
            shares = np.stack([1.0 - share[k], share[k]])
            slope = model.height[k] * shares / widths**2
            yield _Tile(
                slice(top, bottom),
                slice(left, right),
                k,
                _moments(np.arange(top, bottom) * pixel, y[k], widths),
                _moments(np.arange(left, right) * pixel, x[k], widths),
                np.stack([slope, slope, shares]),
            )


def _moments(grid: FloatArray, centre: FloatArray, width: FloatArray) -> FloatArray:
    away = grid - centre[:, None]
    bell = np.exp(-0.5 * (away / width[:, :, None]) ** 2)
    return np.stack([bell, away * bell, away**2 * bell], axis=1)


def image_of(model: Model, picture: Picture) -> FloatArray:
    """Return the model's image, (Y, X)."""
    poly_y, poly_x = picture.polynomials()
    found = np.asarray((poly_y * model.background[:, None]).T @ poly_x)
    for tile in _tiles(model, picture):
        scaled = tile.along_y[:, 0] * (tile.weight[2] * model.height[tile.columns])[:, :, None]
        part = np.concatenate(list(scaled)).T @ np.concatenate(list(tile.along_x[:, 0]))
        found[tile.rows, tile.cols] += part
    return found


def normal_equations(model: Model, picture: Picture, order: IntArray, sizes: list[int]) -> Normal:
    """Sum the normal equations of a model over an image.

    Parameters
    ----------
    model : Model
        C columns of S species.
    picture : Picture
        The image.
    order : ndarray
        (C,) the columns in the order of the matrix.
    sizes : list of int
        Columns of each block of the matrix, in that order; columns of blocks that are no neighbours do not couple.
    """
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    poly_y, poly_x = picture.polynomials()
    shared = PER_SPECIES * len(model.shapes.core_angstrom)
    n, k = PER_COLUMN * len(order), shared + len(poly_y)
    matrix = BlockTridiagonal([PER_COLUMN * size for size in sizes])
    border, corner, right, right_corner = np.zeros((n, k)), np.zeros((k, k)), np.zeros(n), np.zeros(k)
    residual = np.zeros_like(picture.values)
    for tile in _tiles(model, picture):
        valid = picture.valid[tile.rows, tile.cols]
        if not valid.any():
            continue
        told, shape_images = _tile_images(model, tile, shared)
        factors = poly_y[:, tile.rows], poly_x[:, tile.cols]
        told += (factors[0] * model.background[:, None]).T @ factors[1]
        rest = np.where(valid, picture.values[tile.rows, tile.cols] - told, 0.0)
        residual[tile.rows, tile.cols] = rest
        if valid.all():
            blocks = _whole_tile(tile, shape_images, rest, *factors)
        else:
            blocks = _broken_tile(tile, shape_images, rest, *factors, valid)
        at = (PER_COLUMN * place[tile.columns][:, None] + np.arange(PER_COLUMN)).ravel()
        matrix.add(at, blocks[0])
        border[at] += blocks[1]
        corner += blocks[2]
        right[at] += blocks[3]
        right_corner += blocks[4]
    return Normal(matrix, border, corner, right, right_corner, float((residual**2).sum()), residual)


def _tile_images(model: Model, tile: _Tile, shared: int) -> tuple[FloatArray, FloatArray]:
    """Return the columns' image of a tile (T, T) and its derivatives (3 S, T, T) by core, tail and share."""
    shape = tile.along_y.shape[-1], tile.along_x.shape[-1]
    told, images = np.zeros(shape), np.zeros((shared, *shape))
    kind = model.kind[tile.columns]
    for s in np.unique(kind):
        here = kind == s
        y, x = tile.along_y[:, :, here], tile.along_x[:, :, here]
        y = y * model.height[tile.columns[here]][:, None]
        width = model.shapes.core_angstrom[s], model.shapes.tail_angstrom[s]
        share = 1.0 - model.shapes.tail_share[s], model.shapes.tail_share[s]
        bells = [y[i, 0].T @ x[i, 0] for i in range(2)]
        told += share[0] * bells[0] + share[1] * bells[1]
        for i in range(2):
            images[3 * s + i] = share[i] / width[i] ** 3 * (y[i, 2].T @ x[i, 0] + y[i, 0].T @ x[i, 2])
        images[3 * s + 2] = bells[1] - bells[0]
    return told, images


Blocks = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


def _whole_tile(
    tile: _Tile, shape_images: FloatArray, rest: FloatArray, poly_y: FloatArray, poly_x: FloatArray
) -> Blocks:
    """Return a tile's part of matrix, border, corner and right hand sides, all of its pixels used."""
    k, (ty, tx), shared = len(tile.columns), rest.shape, len(shape_images)
    y, x, weight = tile.along_y[:, :2].reshape(4 * k, ty), tile.along_x[:, :2].reshape(4 * k, tx), tile.weight
    gram_y, gram_x = (y @ y.T).reshape(2, 2, k, 2, 2, k), (x @ x.T).reshape(2, 2, k, 2, 2, k)
    stack = np.concatenate([shape_images, rest[None]])
    through = (y @ stack.transpose(1, 0, 2).reshape(ty, -1)).reshape(2, 2, k, shared + 1, tx)
    along_y, along_x = (y @ poly_y.T).reshape(2, 2, k, -1), (x @ poly_x.T).reshape(2, 2, k, -1)
    matrix = np.zeros((k, 3, k, 3))
    border = np.zeros((k, 3, shared + len(poly_y)))
    right = np.zeros((k, 3))
    for q, (a, b) in enumerate(MOMENTS):
        for f in range(2):
            w = weight[q, f][:, None]
            seen = np.einsum("knt,kt->kn", through[f, a], tile.along_x[f, b])
            border[:, q, :shared] += w * seen[:, :shared]
            border[:, q, shared:] += w * along_y[f, a] * along_x[f, b]
            right[:, q] += weight[q, f] * seen[:, shared]
            for r, (c, d) in enumerate(MOMENTS[: q + 1]):
                for g in range(2):
                    matrix[:, q, :, r] += w * weight[r, g] * gram_y[f, a, :, g, c] * gram_x[f, b, :, g, d]
    for q in range(3):
        for r in range(q):
            matrix[:, r, :, q] = matrix[:, q, :, r].T
    flat = shape_images.reshape(shared, -1)
    mixed = np.einsum("nxb,bx->nb", shape_images.transpose(0, 2, 1) @ poly_y.T, poly_x)
    corner = np.block([[flat @ flat.T, mixed], [mixed.T, (poly_y @ poly_y.T) * (poly_x @ poly_x.T)]])
    right_corner = np.concatenate([flat @ rest.ravel(), np.einsum("by,yx,bx->b", poly_y, rest, poly_x, optimize=True)])
    return matrix.reshape(3 * k, 3 * k), border.reshape(3 * k, -1), corner, right.ravel(), right_corner


def _broken_tile(
    tile: _Tile,
    shape_images: FloatArray,
    rest: FloatArray,
    poly_y: FloatArray,
    poly_x: FloatArray,
    valid: npt.NDArray[np.bool_],
) -> Blocks:
    """Return what `_whole_tile` does where some pixels are not used: the Jacobian is written out."""
    y, x = np.nonzero(valid)
    k = len(tile.columns)
    columns = np.zeros((k, 3, len(y)))
    for q, (a, b) in enumerate(MOMENTS):
        for f in range(2):
            columns[:, q] += tile.weight[q, f][:, None] * tile.along_y[f, a][:, y] * tile.along_x[f, b][:, x]
    flat = columns.reshape(3 * k, -1)
    shared = np.concatenate([shape_images[:, y, x], poly_y[:, y] * poly_x[:, x]])
    here = rest[y, x]
    return flat @ flat.T, flat @ shared.T, shared @ shared.T, flat @ here, shared @ here
