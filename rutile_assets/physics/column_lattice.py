"""Rutile along [001] in an image: where its columns are to be looked for, and what each is.

Cations stand on a grid of d110 by d1-10, 3.25 angstrom both; the oxygens of neighbouring cations point along [110] and
along [1-10] in turn (sites A and B) and stand on the lines between cations, at 2 u of the way from their own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from rutile_assets.errors import FitFailed
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.image_lattice import Lattice, find_lattice, flattened

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
StringArray = npt.NDArray[np.str_]
Cell = tuple[int, int]

D_ANGSTROM = 10.0 * rutile("TiO2").d110_nm
APICAL = 2.0 * rutile("TiO2").u  # of the way from a cation to the next one
SCALE_TOLERANCE = 0.09  # of the header's scale and of strain together
SQUARE_DEG = 8.0
BLUR_ANGSTROM = 0.35
SEARCH_ANGSTROM = 0.75
BELIEVED_ANGSTROM = 0.5  # a column farther than this from where its neighbours put it is not believed
ABSENT, CONTAMINATED = 0.35, 0.15  # of the height of its like: lower is missing, farther off is contaminated
SHOWS = 0.12  # least height over its surroundings of a column of any element, over that of the usual
MARGIN_ANGSTROM = 1.0  # columns that far outside the image still show their flank
OUTWARD = {"top": (1.0, 0.0), "bottom": (-1.0, 0.0), "left": (0.0, 1.0), "right": (0.0, -1.0)}
SITES_SURE = 6.0


@dataclass(frozen=True)
class Sites:
    """Columns to be fitted; arrays have one entry a column, cations first.

    Parameters
    ----------
    start_angstrom : ndarray
        (C, 2) row and column from the centre of the first pixel, good to about 0.1 angstrom [angstrom].
    element : ndarray of str
        (C,) "O", or "Ti" for every cation: Ru is told by the planes' heights after a fit.
    site : ndarray of str
        (C,) "A" or "B" of a cation and of the cation that an oxygen is apical to; "" where no oxygen is seen.
    plane_index, row_index : ndarray
        (C,) of cations along [110], outwards from 0, and along [1-10]; of oxygens those of the cation that they are
        apical to.
    is_outside : ndarray of bool
        (C,) its centre is outside the image or on pixels that are not used.
    is_contaminated : ndarray of bool
        (C,) its height differs from its like in its plane.
    missing_angstrom : ndarray
        (M, 2) where columns should be and are not; they are not among the others [angstrom].
    plane_step_angstrom, row_step_angstrom : ndarray
        (2,) mean steps along [110], outwards, and along [1-10] [angstrom].
    lattice : Lattice
        As the whole image shows it.
    notes : tuple of str
        What a reader has to know.
    """

    start_angstrom: FloatArray
    element: StringArray
    site: StringArray
    plane_index: IntArray
    row_index: IntArray
    is_outside: npt.NDArray[np.bool_]
    is_contaminated: npt.NDArray[np.bool_]
    missing_angstrom: FloatArray
    plane_step_angstrom: FloatArray
    row_step_angstrom: FloatArray
    lattice: Lattice
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Seen:
    """A blurred image that is asked for its values and maxima; lengths in angstrom."""

    blurred: FloatArray
    depth: FloatArray
    pixel: float

    def at(self, places: FloatArray) -> FloatArray:
        """Return values at places, between pixels by straight lines."""
        return np.asarray(map_coordinates(self.blurred, (places / self.pixel).T, order=1, mode="nearest"))

    def inside(self, places: FloatArray) -> FloatArray:
        """Return how far places are within the pixels in use, negative outside [angstrom]."""
        far = (np.array(self.blurred.shape) - 1) * self.pixel
        beyond = np.maximum(np.maximum(-places, places - far), 0.0).max(axis=1)
        within = map_coordinates(self.depth, (places / self.pixel).T, order=1, mode="nearest")
        return np.asarray(np.where(beyond > 0, -beyond, within))

    def height(self, places: FloatArray, steps: FloatArray) -> FloatArray:
        """Return values at places over the mean of the grid's interstices about each, where there is no column."""
        corners = 0.5 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) @ steps
        return np.asarray(self.at(places) - np.mean([self.at(places + corner) for corner in corners], axis=0))

    def maximum_near(self, place: FloatArray) -> FloatArray | None:
        """Return the highest local maximum near a place, between pixels, or None."""
        reach = int(np.ceil(SEARCH_ANGSTROM / self.pixel))
        centre = np.round(place / self.pixel).astype(int)
        low = np.maximum(centre - reach, 1)
        high = np.minimum(centre + reach + 1, np.array(self.blurred.shape) - 1)
        if (high - low < 2).any():
            return None
        patch = self.blurred[low[0] : high[0], low[1] : high[1]]
        top = np.array(np.unravel_index(int(patch.argmax()), patch.shape)) + low
        found = np.empty(2)
        for axis, step in enumerate(np.eye(2, dtype=int)):
            before, here, after = (self.blurred[tuple(top + s * step)] for s in (-1, 0, 1))
            bend = before - 2.0 * here + after
            if bend >= 0 or here < max(before, after):
                return None
            found[axis] = top[axis] + 0.5 * (before - after) / bend
        found *= self.pixel
        return found if np.hypot(*(found - place)) <= SEARCH_ANGSTROM else None


def rutile_sites(image: FloatArray, pixel_angstrom: float, *, which: str = "phase", substrate_side: str) -> Sites:
    """Find the columns of rutile along [001].

    Parameters
    ----------
    image : ndarray
        (Y, X) columns bright; NaN where a pixel is not to be used.
    pixel_angstrom : float
        Its scale may be 5 % wrong [angstrom].
    which : {"phase", "haadf"}
        Whether oxygen is seen.
    substrate_side : {"top", "bottom", "left", "right"}
        Side of the image that is nearest to the substrate: planes are counted away from it.

    Raises
    ------
    FitFailed
        No lattice, none of rutile along [001], or oxygens that do not tell the sites apart.
    """
    if substrate_side not in OUTWARD or which not in ("phase", "haadf"):
        raise FitFailed(
            f"substrate side {substrate_side!r} of a {which!r} image",
            f"one of {', '.join(OUTWARD)}; phase or haadf",
            "Say on which side of the image the substrate lies.",
        )
    lattice = find_lattice(image, pixel_angstrom)
    valid = np.isfinite(image)
    flat = flattened(image, pixel_angstrom)
    waves = _cation_waves(flat, pixel_angstrom, lattice, np.array(OUTWARD[substrate_side]))
    depth = np.full(image.shape, 1e3)
    if not valid.all():
        depth = (distance_transform_edt(valid) - distance_transform_edt(~valid)) * pixel_angstrom
    seen = _Seen(gaussian_filter(flat, BLUR_ANGSTROM / pixel_angstrom), depth, pixel_angstrom)
    steps = np.asarray(np.linalg.inv(waves).T, dtype=np.float64)
    places, found = _grown(seen, steps, _origin(flat, pixel_angstrom, waves))
    return _sites(seen, places, found, steps, lattice, which)


def _cation_waves(flat: FloatArray, pixel: float, lattice: Lattice, outward: FloatArray) -> FloatArray:
    """Return the waves (2, 2) of (110), outwards, and (1-10): near 3.25 angstrom, square, together the strongest."""
    orders = np.array([(i, j) for i in range(-3, 4) for j in range(-3, 4) if (i, j) > (0, 0)])
    waves = orders @ lattice.waves_per_angstrom
    length = 1.0 / np.hypot(*waves.T)
    near = np.abs(length / D_ANGSTROM - 1.0) < SCALE_TOLERANCE
    strength = np.array([abs(_amplitude(flat, pixel, wave)) for wave in waves[near]])
    best: tuple[float, FloatArray] | None = None
    for i, a in enumerate(waves[near]):
        for j, b in enumerate(waves[near][:i]):
            sine = abs(a[0] * b[1] - a[1] * b[0]) / np.hypot(*a) / np.hypot(*b)
            together = float(min(strength[i], strength[j]))
            if sine > np.cos(np.deg2rad(SQUARE_DEG)) and (best is None or together > best[0]):
                best = together, np.array([a, b])
    if best is None:
        told = ", ".join(f"{0.1 / np.hypot(*wave):.3f}" for wave in lattice.peaks_per_angstrom[:4])
        raise FitFailed(
            f"no square grid of {D_ANGSTROM / 10:.3f} nm (spacings {told} nm stand out)",
            "rutile along [001] with a scale within 9 %",
            "Check the scale, the zone axis and the material.",
        )
    pair = best[1]
    cosine = pair @ outward / np.hypot(*pair.T)
    first = int(np.argmax(np.abs(cosine)))
    plane, row = pair[first] * np.sign(cosine[first]), pair[1 - first]
    across = row @ outward[::-1]
    return np.array([plane, row * (np.sign(across) or 1.0)])


def _amplitude(flat: FloatArray, pixel: float, wave: FloatArray) -> complex:
    y, x = (np.arange(n) * pixel for n in flat.shape)
    left = np.exp(-2j * np.pi * wave[0] * y) * np.hanning(len(y))
    right = np.exp(-2j * np.pi * wave[1] * x) * np.hanning(len(x))
    return complex(left @ flat @ right)


def _origin(flat: FloatArray, pixel: float, waves: FloatArray) -> FloatArray:
    """Return a cation's place nearest to the image's centre: both waves are at their crest there."""
    crest = np.array([-np.angle(_amplitude(flat, pixel, wave)) / (2.0 * np.pi) for wave in waves])
    centre = waves @ (0.5 * np.array(flat.shape) * pixel)
    return np.asarray(np.linalg.solve(waves, crest + np.round(centre - crest)))


def _grown(seen: _Seen, steps: FloatArray, origin: FloatArray) -> tuple[dict[Cell, FloatArray], set[Cell]]:
    """Return the places of cations from the origin outwards, each expected where its neighbours put it, and those seen.

    Steps follow the lattice as it changes, so strain and a bent scan are no matter. Beyond the image one more ring is
    expected.
    """
    places: dict[Cell, FloatArray] = {}
    found: set[Cell] = set()
    usual = _usual_height(seen, steps, origin)
    waiting: deque[Cell] = deque([(0, 0)])
    while waiting:
        cell = waiting.popleft()
        if cell in places:
            continue
        expected = _expected(cell, places, found, steps) if places else origin
        away = float(seen.inside(expected[None])[0])
        if away < -1.2 * D_ANGSTROM:
            continue
        place = seen.maximum_near(expected) if away > -SEARCH_ANGSTROM else None
        far = place is not None and np.hypot(*(place - expected)) > BELIEVED_ANGSTROM
        if place is None or far or seen.height(place[None], steps)[0] < SHOWS * usual:
            places[cell] = expected
        else:
            places[cell] = place
            found.add(cell)
        waiting.extend((cell[0] + a, cell[1] + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)))
    if len(found) < 6:
        raise FitFailed(
            f"{len(found)} cation columns", "at least six in a grid", "Take a larger field or a longer exposure."
        )
    return places, found


def _usual_height(seen: _Seen, steps: FloatArray, origin: FloatArray) -> float:
    """Return the median height of the grid's points near the origin."""
    grid = np.array([(i, j) for i in range(-3, 4) for j in range(-3, 4)]) @ steps + origin
    inside = grid[seen.inside(grid) > 0]
    return float(np.median(seen.height(inside, steps))) if len(inside) else float(np.ptp(seen.blurred))


def _expected(cell: Cell, places: dict[Cell, FloatArray], found: set[Cell], steps: FloatArray) -> FloatArray:
    """Return where neighbours put a cell: the mean over those seen, by their own steps where they have one."""
    told: list[FloatArray] = []
    guessed: list[FloatArray] = []
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        one = (cell[0] + sign * (axis == 0), cell[1] + sign * (axis == 1))
        two = (cell[0] + 2 * sign * (axis == 0), cell[1] + 2 * sign * (axis == 1))
        if one not in places:
            continue
        step = sign * steps[axis]
        if one in found and two in found:
            own = places[two] - places[one]
            step = 0.5 * (step + own) if np.hypot(*(own - step)) < BELIEVED_ANGSTROM else step
        (told if one in found else guessed).append(places[one] - step)
    return np.asarray(np.mean(told or guessed, axis=0))


def _sites(
    seen: _Seen, places: dict[Cell, FloatArray], found: set[Cell], steps: FloatArray, lattice: Lattice, which: str
) -> Sites:
    cells = sorted(places)
    grid = np.array(cells)
    cations = np.array([places[cell] for cell in cells])
    is_found = np.array([cell in found for cell in cells])
    away = seen.inside(cations)
    share = _share_of_like(seen.height(cations, steps), grid[:, 0], is_found)
    absent = (away > 0.5 * BLUR_ANGSTROM) & (share < ABSENT)
    kept = ~absent & (away > -MARGIN_ANGSTROM)
    first = grid[kept & (away >= 0)].min(axis=0)
    notes = []
    even, oxygens, owner = True, np.empty((0, 2)), np.empty(0, dtype=np.intp)
    if which == "phase":
        even = _even_is_a(seen, cells, places)
        oxygens, owner = _oxygens(cells, places, steps, even)
    is_a = (grid.sum(axis=1) % 2 == 0) == even
    site = np.where(is_a, "A", "B") if which == "phase" else np.full(len(cells), "")
    depth = seen.inside(oxygens) if len(oxygens) else np.empty(0)
    height = seen.at(oxygens) if len(oxygens) else np.empty(0)
    clear = depth > BLUR_ANGSTROM
    floor = float(np.percentile(seen.blurred, 5.0))
    like = float(np.median(height[clear])) if clear.any() else 0.0
    lost = clear & (height - floor < ABSENT * (like - floor))
    good = ~lost & (depth > -MARGIN_ANGSTROM)
    missing = np.concatenate([cations[absent], oxygens[lost]])
    if len(missing):
        notes.append(f"{len(missing)} columns are missing and left out.")
    index = np.concatenate([grid[kept], grid[owner[good]]]) - first
    start = np.concatenate([cations[kept], oxygens[good]])
    element = np.array(["Ti"] * int(kept.sum()) + ["O"] * int(good.sum()))
    within = seen.inside(start)
    is_outside = within < 0
    contaminated = _contaminated(seen.at(start) - floor, element, index[:, 0], within < 3.0 * BLUR_ANGSTROM)
    if contaminated.any():
        notes.append(f"{int(contaminated.sum())} columns differ in height from their like in their plane.")
    return Sites(
        start_angstrom=start,
        element=element,
        site=np.concatenate([site[kept], site[owner[good]]]),
        plane_index=index[:, 0].astype(np.intp),
        row_index=index[:, 1].astype(np.intp),
        is_outside=is_outside,
        is_contaminated=contaminated,
        missing_angstrom=missing,
        plane_step_angstrom=_mean_step(places, found, (1, 0), steps[0]),
        row_step_angstrom=_mean_step(places, found, (0, 1), steps[1]),
        lattice=lattice,
        notes=tuple(notes),
    )


def _share_of_like(height: FloatArray, plane: IntArray, is_found: npt.NDArray[np.bool_]) -> FloatArray:
    """Return heights over the median of those seen in their plane, or in the image where that shows too few."""
    share = height / np.median(height[is_found])
    for m in np.unique(plane):
        here = plane == m
        if (here & is_found).sum() > 2:
            share[here] = height[here] / np.median(height[here & is_found])
    return np.asarray(share)


def _even_is_a(seen: _Seen, cells: list[Cell], places: dict[Cell, FloatArray]) -> bool:
    """Return whether cations of even index sum have their apical oxygens along [110]: there the image is brighter."""
    score = []
    for cell in cells:
        for axis in range(2):
            step = (int(axis == 0), int(axis == 1))
            after = (cell[0] + step[0], cell[1] + step[1])
            if after not in places:
                continue
            between = places[after] - places[cell]
            pair = places[cell] + np.array([[APICAL], [1.0 - APICAL]]) * between
            if (seen.inside(pair) < BLUR_ANGSTROM).any():
                continue
            own, next_ = seen.at(pair)
            score.append((own - next_) * (1.0 if (cell[0] + cell[1] + axis) % 2 == 0 else -1.0))
    told = np.array(score)
    sure = float(told.mean() / (told.std() / np.sqrt(len(told)))) if len(told) > 3 and told.std() > 0 else 0.0
    if abs(sure) < SITES_SURE:
        raise FitFailed(
            f"oxygens that tell the two sites apart by {abs(sure):.1f} standard errors",
            f"{SITES_SURE:.0f} or more",
            "Use a phase image that shows oxygen, or say that it is HAADF.",
        )
    return sure > 0


def _oxygens(
    cells: list[Cell], places: dict[Cell, FloatArray], steps: FloatArray, even: bool
) -> tuple[FloatArray, IntArray]:
    """Return the places of all oxygens (O, 2) and the index of the cation that each is apical to (O,)."""
    found, owner = [], []
    for i, cell in enumerate(cells):
        axis = 0 if ((cell[0] + cell[1]) % 2 == 0) == even else 1
        for sign in (1, -1):
            after = (cell[0] + sign * (axis == 0), cell[1] + sign * (axis == 1))
            step = places[after] - places[cell] if after in places else sign * steps[axis]
            found.append(places[cell] + APICAL * step)
            owner.append(i)
    return np.array(found), np.array(owner, dtype=np.intp)


def _contaminated(
    height: FloatArray, element: StringArray, plane: IntArray, is_at_edge: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return which heights differ from the median of their like in their plane by more than 15 % and 5 deviations."""
    found = np.zeros(len(height), dtype=bool)
    relative = np.zeros(len(height))
    for kind in np.unique(element):
        for m in np.unique(plane):
            like = (element == kind) & (plane == m) & ~is_at_edge
            if like.sum() > 4:
                relative[like] = height[like] / np.median(height[like]) - 1.0
        of_kind = (element == kind) & ~is_at_edge
        spread = 1.4826 * np.median(np.abs(relative[of_kind])) if of_kind.any() else 0.0
        found |= of_kind & (np.abs(relative) > max(CONTAMINATED, 5.0 * float(spread)))
    return found


def _mean_step(places: dict[Cell, FloatArray], found: set[Cell], along: Cell, otherwise: FloatArray) -> FloatArray:
    told = [
        places[a, b] * -1.0 + places[a + along[0], b + along[1]]
        for a, b in found
        if (a + along[0], b + along[1]) in found
    ]
    return np.asarray(np.mean(told, axis=0)) if told else otherwise
