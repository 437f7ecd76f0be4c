"""Rate of a map about a reflection: substrate rod and film add in amplitude, a second relaxed part in intensity.

Along the normal, rod, film and their interference are functions of one number each; the instrument's angles and the
film's mosaic blur them with a Gaussian in the plane of in-plane and normal component, which leans.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from rutile_assets.physics.crystal import SURFACE_REACH, plane_factor, plane_occupancies, rutile
from rutile_assets.physics.reciprocal import Reflection
from rutile_assets.techniques.rsm.plane import Plane

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

ABSORPTION_PER_PLANE = 1e-4
NARROWEST_POLE = 0.01  # rad a plane: nearer to the substrate's peak the rod is not looked at
DARK = 1e-8  # of an envelope's maximum: points below are not lit
APART = 1e-5  # overlap of film and rod below which they do not interfere
PHASE_STEP = 0.3  # of the film's thickest planes from one node of a table to the next [rad]
LARGEST_TABLE = 20000
NODES, WEIGHTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)]), np.array([1.0, 4.0, 1.0]) / 6.0
STEP = 1e-7  # of planes and of 1/angstrom, for slopes of a table

ONE, TWO = 14, 18  # parameters of a film of one and of two components
(SCALE, BACKGROUND, Q_SUB, Q_FILM, Q110_FILM, PLANES, SPREAD, RATIO, NORMAL_ZERO, PHASE, ASIDE, RADIAL, COHERENCE,
 MOSAIC) = range(ONE)  # fmt: skip
Q_SECOND, Q110_SECOND, SCALE_SECOND, MOSAIC_SECOND = range(ONE, TWO)


@dataclass(frozen=True)
class _Seen:
    """A term of the rate at the points that it lights, and how it moves.

    Parameters
    ----------
    lit : ndarray
        (L,) places of the points.
    rate : ndarray
        (L,).
    by_centre, by_variance, by_normal, by_blur : ndarray
        (L,) derivatives by the centre in the plane, by the variance there and the covariance (at equal blur), by
        the place along the normal, and by the blur's variance there.
    lean : ndarray
        (L,) covariance over variance in the plane.
    off, variance : ndarray
        (L,) centre minus point, and the variance in the plane.
    aside_parallel, aside_normal : ndarray
        (L,) how Q moves with a turn, half-way to the rod [1/angstrom].
    tables : ndarray
        (L, t) blurred slopes of the table, under the envelope.
    """

    lit: npt.NDArray[np.intp]
    rate: FloatArray
    by_centre: FloatArray
    by_variance: FloatArray
    by_normal: FloatArray
    by_blur: FloatArray
    lean: FloatArray
    off: FloatArray
    variance: FloatArray
    aside_parallel: FloatArray
    aside_normal: FloatArray
    tables: FloatArray

    def turned_by(self, variance: float) -> FloatArray:
        """Return the derivative, (L,), by the log of the standard deviation of an angle of `variance` [rad^2]."""
        a, b = self.aside_parallel, self.aside_normal
        return self.moved_by(*(2.0 * variance * v for v in (a * a, a * b, b * b)))

    def moved_by(self, xx: FloatArray, xz: FloatArray, zz: FloatArray) -> FloatArray:
        """Return the derivative, (L,), by a parameter that moves the ellipse so, (L,) each."""
        lean = (xz - self.lean * xx) / self.variance
        blur = zz - 2.0 * self.lean * xz + self.lean**2 * xx
        return np.asarray(self.by_variance * xx + self.by_normal * self.off * lean + self.by_blur * blur)


@dataclass(frozen=True)
class MapModel:
    """Rate of a map as a function of one parameter vector.

    log10 of scale and background; in-plane centre of the rod; the film's in-plane centre against it, its centre along
    the normal, number of planes, spread of its surface's height over terraces [planes], log of its amplitude against
    the ideal one; the zero along the normal; the phase that the gap below the film adds; logs of the standard
    deviations of omega (chi on a tilted map) and of 2theta [rad] and of the rods' own width, which says how far apart
    film and substrate still interfere; log of that of the film's tilt [rad]. A second component has centre, normal
    centre, log10 scale, log tilt.
    """

    reflection: Reflection
    substrate: str
    film: str
    lattices: str
    wavelength_angstrom: float

    def rate(self, vector: FloatArray, plane: Plane) -> FloatArray:
        """Return the count rate at the (P,) points of a plane."""
        return self._evaluated(vector, plane, False)[0]

    def slopes(self, vector: FloatArray, plane: Plane) -> tuple[FloatArray, FloatArray]:
        """Return the count rate, (P,), and its derivatives by the parameters, (P, n)."""
        return self._evaluated(vector, plane, True)

    def _evaluated(self, vector: FloatArray, plane: Plane, sloping: bool) -> tuple[FloatArray, FloatArray]:
        total = np.zeros(len(plane.q_normal))
        slopes = np.zeros((len(vector) if sloping else 0, len(total)))
        places = _Places(self, vector, plane)
        self._add_rod(places, total, slopes, sloping)
        grid = places.grid(vector)
        film = self._film_table(grid, vector[Q110_FILM], vector[PLANES], vector[SPREAD], sloping)
        self._add_film(places, film, grid, total, slopes, sloping)
        self._add_interference(places, film, grid, total, slopes, sloping)
        if len(vector) == TWO:
            table = self._film_table(grid, vector[Q110_SECOND], vector[PLANES], vector[SPREAD], sloping)
            self._add_second(places, table, grid, total, slopes, sloping)
        scale = 10.0 ** vector[SCALE] * plane.polarisation
        seen, background = scale * np.maximum(total, 0.0), 10.0 ** vector[BACKGROUND]
        if sloping:
            slopes *= np.where(total > 0.0, scale, 0.0)
            slopes[SCALE] = np.log(10.0) * seen
            slopes[BACKGROUND] = np.log(10.0) * background
        return seen + background, slopes.T

    def _add_rod(self, places: _Places, total: FloatArray, slopes: FloatArray, sloping: bool) -> None:
        seen = places.seen(places.substrate, 0.0, 0.0, self._rod_table(places.wide), sloping)
        total[seen.lit] += seen.rate
        if sloping:
            slopes[Q_SUB, seen.lit] += seen.by_centre
            self._instrument_slopes(places, seen, 1.0, slopes)
            slopes[NORMAL_ZERO, seen.lit] -= seen.by_normal

    def _add_film(
        self,
        places: _Places,
        film: ComplexArray,
        grid: FloatArray,
        total: FloatArray,
        slopes: FloatArray,
        sloping: bool,
    ) -> None:
        vector = places.vector
        part, tilt = np.exp(2.0 * vector[RATIO]), np.exp(2.0 * vector[MOSAIC])
        table = CubicSpline(grid, _intensity(film), bc_type="natural")
        seen = places.seen(places.substrate + vector[Q_FILM], tilt, 0.0, table, sloping)
        total[seen.lit] += part * seen.rate
        if sloping:
            for place in (Q_SUB, Q_FILM):
                slopes[place, seen.lit] += part * seen.by_centre
            self._instrument_slopes(places, seen, part, slopes)
            slopes[MOSAIC, seen.lit] += part * seen.turned_by(tilt)
            slopes[NORMAL_ZERO, seen.lit] -= part * seen.by_normal
            slopes[RATIO, seen.lit] += 2.0 * part * seen.rate
            for place, column in zip((Q110_FILM, PLANES, SPREAD), seen.tables.T, strict=True):
                slopes[place, seen.lit] += part * column

    def _add_second(
        self, places: _Places, second: ComplexArray, grid: FloatArray, total: FloatArray, slopes: FloatArray,
        sloping: bool,
    ) -> None:  # fmt: skip
        vector = places.vector
        part, tilt = 10.0 ** vector[SCALE_SECOND], np.exp(2.0 * vector[MOSAIC_SECOND])
        table = CubicSpline(grid, _intensity(second), bc_type="natural")
        seen = places.seen(places.substrate + vector[Q_SECOND], tilt, 0.0, table, sloping)
        total[seen.lit] += part * seen.rate
        if sloping:
            for place in (Q_SUB, Q_SECOND):
                slopes[place, seen.lit] += part * seen.by_centre
            self._instrument_slopes(places, seen, part, slopes)
            slopes[MOSAIC_SECOND, seen.lit] += part * seen.turned_by(tilt)
            slopes[NORMAL_ZERO, seen.lit] -= part * seen.by_normal
            slopes[SCALE_SECOND, seen.lit] += np.log(10.0) * part * seen.rate
            for place, column in zip((Q110_SECOND, PLANES, SPREAD), seen.tables.T, strict=True):
                slopes[place, seen.lit] += part * column

    def _add_interference(
        self,
        places: _Places,
        film: ComplexArray,
        grid: FloatArray,
        total: FloatArray,
        slopes: FloatArray,
        sloping: bool,
    ) -> None:
        vector = places.vector
        known = np.array([vector[Q_FILM], vector[COHERENCE], vector[MOSAIC]])
        centre, overlap, wider = self._overlap(*known)
        if overlap < APART:
            return
        part = overlap * np.exp(vector[RATIO])
        rod = np.conj(self._rod_amplitude(grid)) * np.exp(1j * vector[PHASE])
        product = 2.0 * film * rod[:, None]
        columns = np.column_stack([product.real, -product[:, 0].imag]) if sloping else product.real
        table = CubicSpline(grid, columns, bc_type="natural")
        seen = places.seen(places.substrate + centre, 0.0, wider, table, sloping)
        total[seen.lit] += part * seen.rate
        if not sloping:
            return
        self._instrument_slopes(places, seen, part, slopes)
        slopes[Q_SUB, seen.lit] += part * seen.by_centre
        slopes[NORMAL_ZERO, seen.lit] -= part * seen.by_normal
        slopes[RATIO, seen.lit] += part * seen.rate
        for place, column in zip((Q110_FILM, PLANES, SPREAD, PHASE), seen.tables.T, strict=True):
            slopes[place, seen.lit] += part * column
        nothing = np.zeros(len(seen.lit))
        widened = seen.moved_by(nothing + 1.0, nothing, nothing)
        for number, place in enumerate((Q_FILM, COHERENCE, MOSAIC)):
            step = np.zeros(3)
            step[number] = 1e-6
            up, down = self._overlap(*(known + step)), self._overlap(*(known - step))
            d_centre, d_overlap, d_wider = ((a - b) / 2e-6 for a, b in zip(up, down, strict=True))
            slopes[place, seen.lit] += part * (
                seen.by_centre * d_centre + seen.rate * d_overlap / overlap + widened * d_wider
            )

    def _instrument_slopes(self, places: _Places, seen: _Seen, part: float, slopes: FloatArray) -> None:
        vector = places.vector
        aside, radial = np.exp(2.0 * vector[ASIDE]), np.exp(2.0 * vector[RADIAL])
        nothing = np.zeros(len(seen.lit))
        slopes[ASIDE, seen.lit] += part * seen.turned_by(aside)
        slopes[RADIAL, seen.lit] += part * seen.moved_by(*(2.0 * radial * v for v in places.radial_square(seen.lit)))
        wide = nothing + 2.0 * np.exp(2.0 * vector[COHERENCE])
        slopes[COHERENCE, seen.lit] += part * seen.moved_by(wide, nothing, nothing)

    def _overlap(self, apart: float, log_coherence: float, log_tilt: float) -> tuple[float, float, float]:
        """Return where film and rod interfere beside the rod [1/angstrom], how much, and its variance there.

        A block of the mosaic whose rod stands m aside overlaps the substrate's to exp(-(apart + m)^2 / 8 C^2), half-way
        between the two; summed over the Gaussian law of m.
        """
        tilt = self.reflection.q_110**2 * np.exp(2.0 * log_tilt)
        reach = 4.0 * np.exp(2.0 * log_coherence)
        near = reach / (reach + tilt)
        overlap = np.sqrt(near) * np.exp(-0.5 * apart**2 / (reach + tilt))
        return float(0.5 * apart * near), float(overlap), float(0.25 * tilt * near)

    def _factor(self, material: str, q: FloatArray, spacing: float) -> ComplexArray:
        h, k, _ = self.reflection.hkl
        return plane_factor(
            material, q, spacing, self.wavelength_angstrom,
            h_minus_k=h - k, q_parallel_per_angstrom=self.reflection.parallel,
        )  # fmt: skip

    def _rod_amplitude(self, q: FloatArray) -> ComplexArray:
        below = 10.0 * rutile(self.substrate, self.lattices).d110_nm
        x = (q - self.reflection.q_110) * below
        looked_at = x**4 / (x**4 + NARROWEST_POLE**4)
        factor = self._factor(self.substrate, q, below)
        return np.asarray(looked_at * factor / (1.0 - np.exp(-1j * x - ABSORPTION_PER_PLANE)))

    def _rod_table(self, wide: tuple[float, float]) -> CubicSpline:
        return _rod_spline(self, *wide)

    def _film_table(self, q: FloatArray, centre: float, planes: float, spread: float, sloping: bool) -> ComplexArray:
        """Return the film's amplitude at q, (Q, 1), and its slopes by centre, planes and spread, (Q, 4)."""
        columns = [self._ladder(q, centre, planes, spread)]
        if sloping:
            for step in STEP * np.eye(3):
                moved = self._ladder(q, centre + step[0], planes + step[1], spread + step[2])
                columns.append((moved - columns[0]) / STEP)
        return np.column_stack(columns)

    def _ladder(self, q: FloatArray, centre: float, planes: float, spread: float) -> ComplexArray:
        """Sum of the film's planes, the top ones broken, phase 0 at the substrate's peak for the first plane."""
        below = 10.0 * rutile(self.substrate, self.lattices).d110_nm
        spacing = below * self.reflection.q_110 / centre
        angle = (q - centre) * spacing
        step = np.exp(1j * angle)
        near = np.abs(1.0 - step) < 1e-9
        whole = max(int(np.floor(planes - SURFACE_REACH * spread)), 0)
        last = np.exp(1j * whole * angle)
        total = np.where(near, whole, (1.0 - last) / np.where(near, 1.0, 1.0 - step))
        for occupied in plane_occupancies(planes, spread, whole):
            total = total + occupied * last
            last = last * step
        first = np.exp(1j * (q - self.reflection.q_110) * 0.5 * (below + spacing))
        return np.asarray(self._factor(self.film, q, spacing) * first * total)


class _Places:
    """The points of a plane as one parameter vector sees them."""

    def __init__(self, model: MapModel, vector: FloatArray, plane: Plane) -> None:
        self.vector, self.plane = vector, plane
        self.substrate = float(vector[Q_SUB])
        self.normal = plane.q_normal - vector[NORMAL_ZERO]
        room = 0.12
        low, high = float(plane.q_normal.min()) - room, float(plane.q_normal.max()) + room
        self.wide = (round(low, 2), round(high, 2))

    def grid(self, vector: FloatArray) -> FloatArray:
        """Return where the film's amplitude is tabulated along the normal, (Q,) [1/angstrom]."""
        thickest = 3.3 * max(vector[PLANES] + SURFACE_REACH * vector[SPREAD], 10.0)
        count = int(np.ceil((self.wide[1] - self.wide[0]) * thickest / PHASE_STEP)) + 4
        count = min(64 * (1 + count // 64), LARGEST_TABLE)
        return np.linspace(*self.wide, count)

    def radial_square(self, lit: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return variance, covariance and normal variance of 2theta by 1 rad, (L,) each."""
        a, b = self.plane.radial_parallel[lit], self.plane.radial_normal[lit]
        return a * a, a * b, b * b

    def seen(self, centre: float, tilt: float, wider: float, table: CubicSpline, sloping: bool) -> _Seen:
        """Return a term whose table along the normal is seen through the instrument and the mosaic.

        Parameters
        ----------
        centre : float
            In the plane [1/angstrom].
        tilt, wider : float
            Variances of the lattice's tilt [rad^2] and, besides, in the plane [1/angstrom^2].
        table : CubicSpline
            The intensity along the normal, first column, and its slopes.
        sloping : bool
            Whether to find the derivatives.
        """
        plane, vector = self.plane, self.vector
        aside, radial = np.exp(2.0 * vector[ASIDE]) + tilt, np.exp(2.0 * vector[RADIAL])
        coherence = np.exp(2.0 * vector[COHERENCE]) + wider
        off = centre - plane.q_parallel
        xx = plane.aside_parallel**2 * aside + plane.radial_parallel**2 * radial + coherence
        exponent = -0.5 * off**2 / xx
        lit = np.flatnonzero(exponent > np.log(DARK))
        off, xx, z = off[lit], xx[lit], self.normal[lit]
        a, b = plane.aside_parallel[lit], plane.aside_normal[lit]
        r, n = plane.radial_parallel[lit], plane.radial_normal[lit]
        # a turn moves Q along an arc: its direction half-way to the rod, its speed at the rod
        lean = (a * b * aside + r * n * radial) / xx
        faster, turning = 0.5 * a * lean / z, -0.5 * a / z
        slower = 0.5 * a * a * aside / xx * lean / z
        a, b = a + faster * off, b + turning * off
        xx = a * a * aside + r * r * radial + coherence
        lean = (a * b * aside + r * n * radial) / xx
        blur = np.maximum(b * b * aside + n * n * radial - lean**2 * xx, 1e-10)
        sigma = np.sqrt(blur)
        arc = 1.0 - slower * off
        near = np.exp(-0.5 * off**2 / xx) / np.sqrt(xx) * arc
        where = np.clip(self.normal[lit] + lean * off + NODES[:, None] * sigma, *self.wide)
        weighted = WEIGHTS[:, None] * near
        if not sloping:
            rate = (weighted * table(where)[..., 0]).sum(axis=0)
            return _Seen(lit, rate, *(np.empty(0),) * 10)
        values, steep = table(where), _first_column(table)(where, 1)
        rate = (weighted * values[..., 0]).sum(axis=0)
        by_normal = (weighted * steep).sum(axis=0)
        by_blur = (weighted * NODES[:, None] * steep).sum(axis=0) / (2.0 * sigma)
        by_variance = 0.5 * (off**2 / xx - 1.0) / xx * rate
        seen = _Seen(
            lit, rate, lean * by_normal - (off / xx + slower / arc) * rate, by_variance, by_normal, by_blur, lean, off,
            xx, a, b, (weighted[..., None] * values[..., 1:]).sum(axis=0),
        )  # fmt: skip
        arcs = (2.0 * a * faster, a * turning + b * faster, 2.0 * b * turning)
        return replace(seen, by_centre=seen.by_centre + seen.moved_by(*(aside * v for v in arcs)))


def _first_column(table: CubicSpline) -> CubicSpline:
    return CubicSpline.construct_fast(np.ascontiguousarray(table.c[:, :, 0]), table.x)


@lru_cache(maxsize=64)
def _rod_spline(model: MapModel, low: float, high: float) -> CubicSpline:
    grid = np.linspace(low, high, int((high - low) / 3e-4))
    amplitude = model._rod_amplitude(grid)
    return CubicSpline(grid, _intensity(amplitude[:, None]), bc_type="natural")


def _intensity(columns: ComplexArray) -> FloatArray:
    """Return |A|^2 and 2 Re(A* dA) of an amplitude and its slopes, (Q, n)."""
    first = np.conj(columns[:, :1])
    found = (2.0 * first * columns).real
    found[:, 0] *= 0.5
    return np.asarray(found)
