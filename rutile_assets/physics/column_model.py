r"""Model of an image of atom columns and its normal equations, summed over tiles of the image.

.. math:: I(r) = b(r) + \sum_i h_i \left[(1 - w_s) e^{-|r - r_i|^2 / 2 \sigma_s^2}
          + w_s e^{-|r - r_i|^2 / 2 \tau_s^2}\right]

with core, tail and the tail's share (sigma, tau, w) shared by all columns of a species s, and one smooth background b,
a cubic spline. A tilt, astigmatism or a stretched scan makes columns elliptic: widths are exp(e1 / 2) times as large
along rows and exp(-e1 / 2) times along columns, and the core takes a factor 1 + e2 dy dx / (sigma_y sigma_x), to first
order. That leaves columns even, so it moves none; derivatives by position are taken without it.
Gaussians separate into rows and columns, so a tile's model, gradient and normal matrix are a few matrix products and
exact sums over its pixels; where pixels are missing the Jacobian is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline

from rutile_assets.physics.block_tridiagonal import BlockTridiagonal

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

TILE_PIXELS = 64
REACH_IN_TAILS = 4.2  # a column is not felt beyond this many widths of its tail: 1.5e-4 of the tail's height
PER_COLUMN, PER_SPECIES = 3, 5  # y, x, height; core, tail, share, two of the ellipse
SPLINES_AT_MOST = 400
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
    ellipse : ndarray
        (S, 2) e1 and e2: logarithm of the width across rows over that along them, and the core's slant.
    """

    core_angstrom: FloatArray
    tail_angstrom: FloatArray
    tail_share: FloatArray
    ellipse: FloatArray

    @property
    def vector(self) -> FloatArray:
        """(5 S) core, tail, share and ellipse, species by species."""
        return np.column_stack([self.core_angstrom, self.tail_angstrom, self.tail_share, self.ellipse]).ravel()


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
        (B,) coefficients of products of cubic B-splines, in the image's unit.
    """

    positions_angstrom: FloatArray
    height: FloatArray
    kind: IntArray
    shapes: Shapes
    background: FloatArray

    def moved(self, columns: FloatArray, border: FloatArray) -> Model:
        """Return the model with steps (C, 3) of the columns and (5 S + B,) of what they share."""
        shared = PER_SPECIES * len(self.shapes.core_angstrom)
        core, tail, share, *ellipse = (self.shapes.vector + border[:shared]).reshape(-1, PER_SPECIES).T
        return replace(
            self,
            positions_angstrom=self.positions_angstrom + columns[:, :2],
            height=self.height + columns[:, 2],
            shapes=Shapes(core, tail, share, np.stack(ellipse, axis=1)),
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
    splines_y, splines_x : ndarray
        (B, Y) and (B, X) factors of the background along rows and columns.
    """

    values: FloatArray
    valid: npt.NDArray[np.bool_]
    pixel_angstrom: float
    splines_y: FloatArray
    splines_x: FloatArray


def picture(
    values: FloatArray, valid: npt.NDArray[np.bool_], pixel_angstrom: float, spacing_angstrom: float
) -> Picture:
    """Return an image (Y, X) with a background of cubic splines whose knots are at least `spacing_angstrom` apart."""
    extent = pixel_angstrom * np.array(values.shape)
    pieces = np.maximum(np.floor(extent / spacing_angstrom), 1.0)
    pieces = np.maximum(np.floor(pieces * min(1.0, np.sqrt(SPLINES_AT_MOST / np.prod(pieces + 3.0)))), 1.0)
    along_y, along_x = (_splines(n, int(m)) for n, m in zip(values.shape, pieces, strict=True))
    i, j = (index.ravel() for index in np.indices((len(along_y), len(along_x))))
    return Picture(values, valid, pixel_angstrom, along_y[i], along_x[j])


def _splines(pixels: int, pieces: int) -> FloatArray:
    """Return the cubic B-splines of equal pieces at each pixel, (pieces + 3, pixels); they sum to 1."""
    knots = np.linspace(-0.5, pixels - 0.5, pieces + 1)
    padded = np.concatenate([np.full(3, knots[0]), knots, np.full(3, knots[-1])])
    found = BSpline.design_matrix(np.arange(pixels, dtype=np.float64), padded, 3).toarray()
    return np.asarray(found.T, dtype=np.float64)


@dataclass(frozen=True)
class Normal:
    """Normal equations J^T J step = J^T residual of a model.

    Parameters
    ----------
    matrix : BlockTridiagonal
        Of the columns, three unknowns each, in the order of the sums.
    border : ndarray
        (3 C, 5 S + B) between columns and what they share.
    corner : ndarray
        (5 S + B, 5 S + B) of what they share.
    right, right_corner : ndarray
        (3 C,) and (5 S + B,) J^T residual.
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
    stretch = np.exp(0.5 * model.shapes.ellipse[model.kind, 0])
    for top in range(0, height, TILE_PIXELS):
        bottom = min(top + TILE_PIXELS, height)
        in_rows = (y > top * pixel - reach) & (y < (bottom - 1) * pixel + reach)
        for left in range(0, width, TILE_PIXELS):
            right = min(left + TILE_PIXELS, width)
            k = np.flatnonzero(in_rows & (x > left * pixel - reach) & (x < (right - 1) * pixel + reach))
            widths = np.stack([core[k], tail[k]])
            shares = np.stack([1.0 - share[k], share[k]])
            slope = model.height[k] * shares
            yield _Tile(
                slice(top, bottom),
                slice(left, right),
                k,
                _moments(np.arange(top, bottom) * pixel, y[k], widths * stretch[k]),
                _moments(np.arange(left, right) * pixel, x[k], widths / stretch[k]),
                np.stack([slope / (widths * stretch[k]) ** 2, slope / (widths / stretch[k]) ** 2, shares]),
            )


def _moments(grid: FloatArray, centre: FloatArray, width: FloatArray) -> FloatArray:
    away = grid - centre[:, None]
    bell = np.exp(-0.5 * (away / width[:, :, None]) ** 2)
    return np.stack([bell, away * bell, away**2 * bell], axis=1)


def image_of(model: Model, picture: Picture) -> FloatArray:
    """Return the model's image, (Y, X)."""
    found = np.asarray((picture.splines_y * model.background[:, None]).T @ picture.splines_x)
    slant = (model.shapes.ellipse[:, 1] / model.shapes.core_angstrom**2)[model.kind]
    for tile in _tiles(model, picture):
        y, x = tile.along_y, tile.along_x
        scaled = tile.weight[2] * model.height[tile.columns]
        left = [*(y[:, 0] * scaled[:, :, None]), y[0, 1] * (scaled[0] * slant[tile.columns])[:, None]]
        found[tile.rows, tile.cols] += np.concatenate(left).T @ np.concatenate([x[0, 0], x[1, 0], x[0, 1]])
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
    shared = PER_SPECIES * len(model.shapes.core_angstrom)
    n, k = PER_COLUMN * len(order), shared + len(model.background)
    matrix = BlockTridiagonal([PER_COLUMN * size for size in sizes])
    border, corner, right, right_corner = np.zeros((n, k)), np.zeros((k, k)), np.zeros(n), np.zeros(k)
    residual = np.zeros_like(picture.values)
    for tile in _tiles(model, picture):
        valid = picture.valid[tile.rows, tile.cols]
        if not valid.any():
            continue
        told, shape_images = _tile_images(model, tile, shared)
        factors = picture.splines_y[:, tile.rows], picture.splines_x[:, tile.cols]
        here = np.flatnonzero(factors[0].any(axis=1) & factors[1].any(axis=1))
        factors = factors[0][here], factors[1][here]
        told += (factors[0] * model.background[here, None]).T @ factors[1]
        rest = np.where(valid, picture.values[tile.rows, tile.cols] - told, 0.0)
        residual[tile.rows, tile.cols] = rest
        if valid.all():
            blocks = _whole_tile(tile, shape_images, rest, *factors)
        else:
            blocks = _broken_tile(tile, shape_images, rest, *factors, valid)
        at = (PER_COLUMN * place[tile.columns][:, None] + np.arange(PER_COLUMN)).ravel()
        common = np.concatenate([np.arange(shared), shared + here])
        matrix.add(at, blocks[0])
        border[np.ix_(at, common)] += blocks[1]
        corner[np.ix_(common, common)] += blocks[2]
        right[at] += blocks[3]
        right_corner[common] += blocks[4]
    return Normal(matrix, border, corner, right, right_corner, float((residual**2).sum()), residual)


def right_sides(model: Model, picture: Picture, order: IntArray, images: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return J^T of images (N, Y, X) that are 0 where pixels are not used: (3 C, N) and (5 S + B, N).

    The right hand sides of `normal_equations` alone, for N residuals at once.
    """
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    shared = PER_SPECIES * len(model.shapes.core_angstrom)
    right = np.zeros((PER_COLUMN * len(order), len(images)))
    common = np.zeros((shared + len(model.background), len(images)))
    for tile in _tiles(model, picture):
        part = images[:, tile.rows, tile.cols]
        k, (_, ty, tx) = len(tile.columns), part.shape
        _, shape_images = _tile_images(model, tile, shared)
        y = tile.along_y[:, :2].reshape(4 * k, ty)
        through = (y @ part.transpose(1, 0, 2).reshape(ty, -1)).reshape(2, 2, k, len(images), tx)
        for q, (a, b) in enumerate(MOMENTS):
            for f in range(2):
                seen = np.einsum("knt,kt->kn", through[f, a], tile.along_x[f, b])
                right[PER_COLUMN * place[tile.columns] + q] += tile.weight[q, f][:, None] * seen
        common[:shared] += shape_images.reshape(shared, -1) @ part.reshape(len(images), -1).T
        splines_y, splines_x = picture.splines_y[:, tile.rows], picture.splines_x[:, tile.cols]
        here = np.flatnonzero(splines_y.any(axis=1) & splines_x.any(axis=1))
        common[shared + here] += np.einsum("bnx,bx->bn", np.tensordot(splines_y[here], part, (1, 1)), splines_x[here])
    return right, common


def line_sides(model: Model, picture: Picture, order: IntArray, image: FloatArray) -> FloatArray:
    """Return J^T of an image's lines (Y, X), each by itself: (3 C, Y)."""
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    right = np.zeros((PER_COLUMN * len(order), len(image)))
    for tile in _tiles(model, picture):
        part = image[tile.rows, tile.cols]
        at = PER_COLUMN * place[tile.columns]
        for q, (a, b) in enumerate(MOMENTS):
            for f in range(2):
                seen = tile.weight[q, f][:, None] * tile.along_y[f, a] * (tile.along_x[f, b] @ part.T)
                right[at + q, tile.rows] += seen
    return right


def _tile_images(model: Model, tile: _Tile, shared: int) -> tuple[FloatArray, FloatArray]:
    """Return the columns' image of a tile (T, T) and its derivatives (5 S, T, T) by what each species has."""
    shape = tile.along_y.shape[-1], tile.along_x.shape[-1]
    told, images = np.zeros(shape), np.zeros((shared, *shape))
    kind = model.kind[tile.columns]
    for s in np.unique(kind):
        here = kind == s
        y, x = tile.along_y[:, :, here], tile.along_x[:, :, here]
        y = y * model.height[tile.columns[here]][:, None]
        width = model.shapes.core_angstrom[s], model.shapes.tail_angstrom[s]
        share = 1.0 - model.shapes.tail_share[s], model.shapes.tail_share[s]
        stretch = float(np.exp(model.shapes.ellipse[s, 0]))
        bells = [y[i, 0].T @ x[i, 0] for i in range(2)]
        squares = [(y[i, 2].T @ x[i, 0] / stretch, y[i, 0].T @ x[i, 2] * stretch) for i in range(2)]
        first = PER_SPECIES * s
        for i in range(2):
            images[first + i] = share[i] / width[i] ** 3 * (squares[i][0] + squares[i][1])
            images[first + 3] += 0.5 * share[i] / width[i] ** 2 * (squares[i][0] - squares[i][1])
        images[first + 2] = bells[1] - bells[0]
        images[first + 4] = share[0] / width[0] ** 2 * (y[0, 1].T @ x[0, 1])
        told += share[0] * bells[0] + share[1] * bells[1] + model.shapes.ellipse[s, 1] * images[first + 4]
    return told, images


Blocks = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


def _whole_tile(
    tile: _Tile, shape_images: FloatArray, rest: FloatArray, splines_y: FloatArray, splines_x: FloatArray
) -> Blocks:
    """Return a tile's part of matrix, border, corner and right hand sides, all of its pixels used."""
    k, (ty, tx), shared = len(tile.columns), rest.shape, len(shape_images)
    y, x, weight = tile.along_y[:, :2].reshape(4 * k, ty), tile.along_x[:, :2].reshape(4 * k, tx), tile.weight
    gram_y, gram_x = (y @ y.T).reshape(2, 2, k, 2, 2, k), (x @ x.T).reshape(2, 2, k, 2, 2, k)
    stack = np.concatenate([shape_images, rest[None]])
    through = (y @ stack.transpose(1, 0, 2).reshape(ty, -1)).reshape(2, 2, k, shared + 1, tx)
    many = len(splines_y)
    along_y, along_x = (y @ splines_y.T).reshape(2, 2, k, many), (x @ splines_x.T).reshape(2, 2, k, many)
    matrix = np.zeros((k, 3, k, 3))
    border = np.zeros((k, 3, shared + len(splines_y)))
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
    mixed = np.einsum("nxb,bx->nb", shape_images.transpose(0, 2, 1) @ splines_y.T, splines_x)
    corner = np.block([[flat @ flat.T, mixed], [mixed.T, (splines_y @ splines_y.T) * (splines_x @ splines_x.T)]])
    right_corner = np.concatenate(
        [flat @ rest.ravel(), np.einsum("by,yx,bx->b", splines_y, rest, splines_x, optimize=True)]
    )
    return matrix.reshape(3 * k, 3 * k), border.reshape(3 * k, shared + many), corner, right.ravel(), right_corner


def _broken_tile(
    tile: _Tile,
    shape_images: FloatArray,
    rest: FloatArray,
    splines_y: FloatArray,
    splines_x: FloatArray,
    valid: npt.NDArray[np.bool_],
) -> Blocks:
    """Return what `_whole_tile` does where some pixels are not used: the Jacobian is written out."""
    y, x = np.nonzero(valid)
    k = len(tile.columns)
    columns = np.zeros((k, 3, len(y)))
    for q, (a, b) in enumerate(MOMENTS):
        for f in range(2):
            columns[:, q] += tile.weight[q, f][:, None] * tile.along_y[f, a][:, y] * tile.along_x[f, b][:, x]
    flat = columns.reshape(3 * k, len(y))
    shared = np.concatenate([shape_images[:, y, x], splines_y[:, y] * splines_x[:, x]])
    here = rest[y, x]
    return flat @ flat.T, flat @ shared.T, shared @ shared.T, flat @ here, shared @ here
