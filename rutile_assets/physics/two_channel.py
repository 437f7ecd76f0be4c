r"""Two conductances side by side: a bulk and its interface, against the thickness of the film.

:math:`\sigma_{2D} = t \sigma_i` for :math:`t < t_i`, :math:`t \sigma_b - t_i (\sigma_b - \sigma_i)` above: a line
with a kink. The line alone tells its slope :math:`\sigma_b` and its intercept
:math:`x_0 = t_i (1 - \sigma_i/\sigma_b)`; only films thinner than :math:`t_i` tell the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.physics.errors_in_variables import Adjusted, Points, adjust, with_scatter

FloatArray = npt.NDArray[np.float64]
Curve = Callable[[FloatArray, FloatArray], FloatArray]

S_CM_NM_PER_S = 1e7  # 1 S is 1e7 (S/cm) nm
LEAST_DELTA_BIC = 6.0
KINK, LINE, UNDECIDED = SHAPES = ("kink", "line", "undecided")
REWEIGHTED = 2
FEWEST_ABOVE = 3


@dataclass(frozen=True)
class TwoChannel:
    """A series of films as two channels.

    Parameters
    ----------
    shape : str
        ``kink``: films thinner than the interface tell it; ``line``: none does; ``undecided``: the better one of the
        two gives the line, and nothing is said of the interface.
    delta_bic : float
        BIC of the line through all films minus BIC with a kink; -inf where a kink could not be fitted.
    fit : Adjusted
        Of bulk conductivity [S/cm], intercept [nm] and, of a fit with a kink, interface conductivity [S/cm].
    scatter : float
        Relative scatter from film to film that the fit needs beside the errors.
    """

    shape: str
    delta_bic: float
    fit: Adjusted
    scatter: float

    @property
    def bulk_s_per_cm(self) -> float:
        """Slope of the line."""
        return float(self.fit.values[0])

    @property
    def intercept_nm(self) -> float:
        """Thickness at which the line has no conductance."""
        return float(self.fit.values[1])

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of what `derived` returns."""
        line = ("bulk_conductivity_s_per_cm", "line_intercept_nm")
        return (*line, "interface_conductivity_s_per_cm", "interface_thickness_nm") if self.shape == KINK else line

    def derived(self) -> tuple[FloatArray, FloatArray]:
        """Return the numbers (Q,) named by `quantities` and their derivatives (Q, P) to the fit's parameters."""
        if self.shape != KINK:
            return self.fit.values[:2], np.eye(2, len(self.fit.values))
        bulk, intercept, interface = self.fit.values
        below = 1.0 - interface / bulk
        last = [-intercept * interface / (bulk * below) ** 2, 1.0 / below, intercept / (bulk * below**2)]
        return np.append(self.fit.values, intercept / below), np.vstack([np.eye(3), last])

    def curve(self, thickness_nm: FloatArray, values: FloatArray | None = None) -> FloatArray:
        """Return sigma_2D [(S/cm) nm] at thicknesses (N,) [nm], of the fit or of other parameters (P,)."""
        model = kinked if len(self.fit.values) > 2 else line
        return model(self.fit.values if values is None else values, thickness_nm)


def line(values: FloatArray, thickness_nm: FloatArray) -> FloatArray:
    """Return sigma_b (t - x0) [(S/cm) nm] of (sigma_b [S/cm], x0 [nm]) at thicknesses (N,) [nm]."""
    return np.asarray(values[0] * (thickness_nm - values[1]))


def kinked(values: FloatArray, thickness_nm: FloatArray) -> FloatArray:
    """Return sigma_2D [(S/cm) nm] of (sigma_b [S/cm], x0 [nm], sigma_i [S/cm]) at thicknesses (N,) [nm]."""
    bulk, intercept, interface = values
    thick = thickness_nm * (bulk - interface) > intercept * bulk
    return np.asarray(np.where(thick, bulk * (thickness_nm - intercept), interface * thickness_nm))


def interface_thickness_nm(intercept_nm: float, bulk_s_per_cm: float, interface_s_per_cm: float) -> float:
    """Return t_i = x0 / (1 - sigma_i/sigma_b) [nm]; with two interfaces their sum, sigma_i their mean by thickness.

    Raises
    ------
    ValueError
        The interface conducts as well as the bulk: no thickness follows.
    """
    if interface_s_per_cm >= bulk_s_per_cm:
        raise ValueError(f"interface {interface_s_per_cm:g} and bulk {bulk_s_per_cm:g} S/cm: no thickness follows")
    return intercept_nm / (1.0 - interface_s_per_cm / bulk_s_per_cm)


def trilayer(
    thickness_nm: FloatArray,
    bulk_s_per_cm: float,
    lower: tuple[float, float],
    upper: tuple[float, float],
) -> FloatArray:
    """Return sigma_2D [(S/cm) nm] of a film with two interfaces, t sigma_b - sum of t_k (sigma_b - sigma_k).

    Parameters
    ----------
    thickness_nm : ndarray
        (N,) of the film, no thinner than its interfaces together [nm].
    bulk_s_per_cm : float
        sigma_b [S/cm].
    lower, upper : (float, float)
        Thickness [nm] and conductivity [S/cm] of each interface.
    """
    return np.asarray(thickness_nm * bulk_s_per_cm - sum(t * (bulk_s_per_cm - s) for t, s in (lower, upper)))


def paper_literal(
    thickness_nm: FloatArray,
    bulk_s_per_cm: float,
    lower: tuple[float, float],
    upper: tuple[float, float],
) -> FloatArray:
    """Return t sigma_b - (t_1 + t_2) {sigma_b - (sigma_1 + sigma_2)} as printed; for reproduction only.

    With interfaces that conduct as the bulk does it gives (t_1 + t_2) sigma_b too much: `trilayer` is the right one.
    Parameters as there: (N,) [nm], [S/cm].
    """
    (t_1, s_1), (t_2, s_2) = lower, upper
    return thickness_nm * bulk_s_per_cm - (t_1 + t_2) * (bulk_s_per_cm - (s_1 + s_2))


def two_channel(
    thickness_nm: FloatArray, thickness_nm_std: FloatArray, sigma_2d_s: FloatArray, sigma_2d_s_std: FloatArray
) -> TwoChannel:
    """Fit the two channels with errors in both variables, and tell by BIC whether films below the kink show it.

    The error of a conductance is taken as a fixed part of it: weighting with the measured value would pull the fit
    towards films that read low.

    Parameters
    ----------
    thickness_nm, thickness_nm_std : ndarray
        (N,) thickness of each film and its own one sigma, what the films share left out [nm].
    sigma_2d_s, sigma_2d_s_std : ndarray
        (N,) sheet conductance and one sigma [S].

    Raises
    ------
    FitFailed
        Fewer than three thicknesses, or a film without a positive conductance and a sigma.
    """
    if len(np.unique(thickness_nm)) < 3 or not (sigma_2d_s > 0).all() or not (sigma_2d_s_std > 0).all():
        raise FitFailed(
            f"{len(np.unique(thickness_nm))} thicknesses",
            "three or more, each with a positive conductance and a sigma",
            "Measure more films.",
        )
    order = np.argsort(thickness_nm)
    y = sigma_2d_s[order] * S_CM_NM_PER_S
    t, t_std, part = thickness_nm[order], thickness_nm_std[order], (sigma_2d_s_std / sigma_2d_s)[order]

    def straight(relative: FloatArray) -> Adjusted:
        return _reweighted(line, t, t_std, y, relative, _start(t, y))

    def bent(relative: FloatArray) -> Adjusted:
        tried = [
            _once(kinked, t, t_std, y, relative * y, start)
            for below in range(1, len(t) - FEWEST_ABOVE + 1)
            if (start := _bent_start(t, y, below)) is not None
        ]
        good = [fit for fit in tried if fit.values[0] > fit.values[2] and fit.values[1] > 0]
        if not good:
            raise FitFailed("no kink", "films thinner than the interface", "Grow thinner films.")
        return _reweighted(kinked, t, t_std, y, relative, min(good, key=lambda fit: fit.chi_square).values)

    fits = [straight(part)]
    with suppress(FitFailed):
        fits.append(bent(part))
    delta = fits[0].bic - fits[1].bic if len(fits) > 1 else -np.inf
    shape = KINK if delta > LEAST_DELTA_BIC else LINE if delta < -1.0 else UNDECIDED
    better, again = (fits[1], bent) if delta > 0 else (fits[0], straight)
    fit, scatter = with_scatter(again, np.ones_like(part), part, better)
    back = np.argsort(order)
    fit = Adjusted(
        fit.values, fit.covariance, fit.x[back], fit.chi_square, fit.freedom,
        fit.response_x[:, back], fit.response_y[:, :, back] * S_CM_NM_PER_S,
    )  # fmt: skip
    return TwoChannel(shape, float(delta), fit, scatter)


def _start(t: FloatArray, y: FloatArray) -> FloatArray:
    slope, offset = np.polyfit(t, y, 1)
    return np.array([slope, -offset / slope])


def _bent_start(t: FloatArray, y: FloatArray, below: int) -> FloatArray | None:
    """Return where to begin with so many films below the kink; None where the thicker ones do not rise steeper."""
    slope, intercept = _start(t[below:], y[below:])
    interface = float(np.mean(y[:below] / t[:below]))
    return np.array([slope, intercept, interface]) if slope > interface and intercept > 0 else None


def _once(
    curve: Curve, t: FloatArray, t_std: FloatArray, y: FloatArray, std: FloatArray, start: FloatArray
) -> Adjusted:
    return adjust(lambda p, x: curve(p, x)[None], Points(t, t_std, y[None], std[None]), start)


def _reweighted(
    curve: Curve, t: FloatArray, t_std: FloatArray, y: FloatArray, part: FloatArray, start: FloatArray
) -> Adjusted:
    fit = _once(curve, t, t_std, y, part * y, start)
    for _ in range(REWEIGHTED):
        expected = curve(fit.values, fit.x)
        fit = _once(curve, t, t_std, y, part * np.where(expected > 0.2 * y, expected, y), fit.values)
    return fit
