"""The reflectivity model of a stack: which numbers are free, and the counts that they predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.physics.reflectivity import (
    FWHM_PER_SIGMA,
    footprint,
    momentum_transfer,
    parratt,
    resolution_nodes,
)
from rutile_assets.physics.scattering import density_of, sld

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
Reflect = Callable[[FloatArray, ComplexArray, FloatArray, FloatArray], FloatArray]

INVISIBLE_CONTRAST = 0.005  # a layer whose scattering length density is this near the substrate's cannot be seen


@dataclass(frozen=True)
class Layer:
    """One layer of a stack.

    Parameters
    ----------
    material : str
        Chemical formula.
    thickness_nm : float
        Nominal thickness; for the substrate it does not matter.
    density_g_per_cm3 : float
        Mass density.
    index : int
        1 for the lowest layer of the growth; 0 for the substrate.
    """

    material: str
    thickness_nm: float
    density_g_per_cm3: float
    index: int


@dataclass(frozen=True)
class Curve:
    """A measured curve.

    Parameters
    ----------
    two_theta_deg : ndarray
        (Q,) scattering angle [deg], rising.
    intensity : ndarray
        (Q,) what is compared with the model: detected counts where they are known, else the rate.
    exposure : ndarray
        (Q,) model rate times this is `intensity`: counting time over attenuation; 1 for rates.
    sigma : ndarray or None
        (Q,) given uncertainty of `intensity`; None for counts, whose noise is Poisson's.
    is_counts : bool
        Whether the intensities are counts.
    attenuator : ndarray or None
        (Q,) which absorber was in the beam, 0 for the thinnest; None where there is but one.
    """

    two_theta_deg: FloatArray
    intensity: FloatArray
    exposure: FloatArray
    sigma: FloatArray | None
    is_counts: bool
    attenuator: npt.NDArray[np.int64] | None = None

    def part(self, mask: npt.NDArray[np.bool_]) -> Curve:
        """Return the points of a mask."""
        sigma = None if self.sigma is None else self.sigma[mask]
        behind = None if self.attenuator is None else self.attenuator[mask]
        return Curve(self.two_theta_deg[mask], self.intensity[mask], self.exposure[mask], sigma, self.is_counts, behind)


@dataclass(frozen=True)
class Instrument:
    """What the instrument adds to the sample's reflectivity.

    Parameters
    ----------
    wavelength_angstrom : float
        Of the monochromatic beam.
    resolution_fwhm_deg : float or None
        FWHM of the angular resolution in 2theta; None when it is to be fitted.
    width_over_length : float or None
        Beam FWHM over sample length; None when it is to be fitted.
    """

    wavelength_angstrom: float
    resolution_fwhm_deg: float | None
    width_over_length: float | None


@dataclass(frozen=True)
class Stack:
    """Layers from the substrate up, after what cannot be seen was merged into the substrate.

    Parameters
    ----------
    substrate : Layer
        Semi-infinite.
    layers : tuple of Layer
        Bottom to top; each has a free thickness, roughness and density factor. None on a bare substrate.
    merged : tuple of Layer
        Layers next to the substrate with (almost) its scattering length density: nominal, not measured.
    adsorbate_nm : float
        Thickness of a fixed CH2 layer (1 g/cm3) on top; 0 for none.
    has_adsorbate : bool
        True where such a layer is there with a free thickness instead.
    """

    substrate: Layer
    layers: tuple[Layer, ...]
    merged: tuple[Layer, ...] = ()
    adsorbate_nm: float = 0.0
    has_adsorbate: bool = False


def visible_stack(substrate: Layer, layers: list[Layer], wavelength_angstrom: float) -> Stack:
    """Merge into the substrate the layers on it that reflectivity cannot tell from it.

    Raises
    ------
    FitFailed
        No layer is left that could be measured.
    """
    remaining = list(layers)
    merged = []
    base = sld(substrate.material, substrate.density_g_per_cm3, wavelength_angstrom)
    while remaining:
        rho = sld(remaining[0].material, remaining[0].density_g_per_cm3, wavelength_angstrom)
        if abs(rho - base) > INVISIBLE_CONTRAST * abs(base):
            break
        merged.append(remaining.pop(0))
    if not remaining:
        raise FitFailed(
            f"only layers like the substrate ({substrate.material})", "a layer of another density", "Nothing to fit."
        )
    return Stack(substrate, tuple(remaining), tuple(merged))


@dataclass(frozen=True)
class Model:
    """A stack in an instrument, as a function of one parameter vector.

    The vector holds, in this order: log10 of the direct beam's rate, log10 of the background rate, 2theta zero [deg],
    log10 of width over length (where it is free), the resolution's FWHM [deg] (where it is free), the substrate's
    roughness [angstrom], then for each layer from the bottom thickness [angstrom], roughness of its top [angstrom],
    density factor; last the adsorbate's thickness [angstrom] (where it is free) and the relative errors of the
    absorbers' factors, but the thinnest's (where there are several).
    """

    stack: Stack
    instrument: Instrument
    attenuators_count: int = 0
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the parameters."""
        names = ["log10_scale", "log10_background", "two_theta_zero_deg"]
        names += ["log10_width_over_length"] if self.instrument.width_over_length is None else []
        names += ["resolution_fwhm_deg"] if self.instrument.resolution_fwhm_deg is None else []
        names += ["roughness substrate"]
        for layer in self.stack.layers:
            names += [f"{what} {layer.index}" for what in ("thickness", "roughness", "density")]
        names += ["adsorbate"] if self.stack.has_adsorbate else []
        names += [f"attenuator {number}" for number in range(1, self.attenuators_count + 1)]
        object.__setattr__(self, "names", tuple(names))

    @property
    def first_layer(self) -> int:
        """Where the layers' parameters begin."""
        return self.names.index("roughness substrate") + 1

    @property
    def adsorbate(self) -> int | None:
        """Where the adsorbate's thickness stands, if it is free."""
        return self.names.index("adsorbate") if self.stack.has_adsorbate else None

    @property
    def first_attenuator(self) -> int | None:
        """Where the absorbers' errors begin, if there are any."""
        return len(self.names) - self.attenuators_count if self.attenuators_count else None

    def rate(
        self, vectors: FloatArray, two_theta_deg: FloatArray, nodes: int = 5, reflect: Reflect = parratt
    ) -> FloatArray:
        """Return the count rate at the detector.

        Parameters
        ----------
        vectors : ndarray
            (B, n) parameter vectors.
        two_theta_deg : ndarray
            (Q,) angles as the goniometer reads them [deg].
        nodes : int
            Points of the Gauss-Hermite sum over the resolution.
        reflect : callable
            Reflectivity of stacks, with the arguments of `parratt`.

        Returns
        -------
        ndarray
            (B, Q) in counts per second (or the unit of the curve).
        """
        vectors = np.atleast_2d(vectors)
        slds, thickness, roughness = self._layers(vectors)
        angle = two_theta_deg[None, :] - vectors[:, 2, None]
        reflected = np.zeros_like(angle)
        given = self.instrument.resolution_fwhm_deg
        fwhm = np.full(len(vectors), given) if given is not None else vectors[:, self.first_layer - 2]
        sigma = fwhm[:, None] / FWHM_PER_SIGMA
        ratio = self.instrument.width_over_length
        spill = 10.0 ** vectors[:, 3, None] if ratio is None else np.full((len(vectors), 1), ratio)
        for offset, weight in zip(*resolution_nodes(nodes), strict=True):
            ray = angle + sigma * offset
            q = momentum_transfer(ray, self.instrument.wavelength_angstrom)
            reflected += weight * footprint(ray, spill) * reflect(q, slds, thickness, roughness)
        return 10.0 ** vectors[:, 0, None] * reflected + 10.0 ** vectors[:, 1, None]

    def _layers(self, vectors: FloatArray) -> tuple[npt.NDArray[np.complex128], FloatArray, FloatArray]:
        first, wave = self.first_layer, self.instrument.wavelength_angstrom
        substrate = self.stack.substrate
        batch = len(vectors)
        slds = [np.full(batch, sld(substrate.material, substrate.density_g_per_cm3, wave))]
        thickness, roughness = [], [vectors[:, first - 1]]
        for number, layer in enumerate(self.stack.layers):
            t, s, factor = (vectors[:, first + 3 * number + k] for k in range(3))
            slds.append(sld(layer.material, layer.density_g_per_cm3, wave) * factor)
            thickness.append(t)
            roughness.append(s)
        if self.stack.has_adsorbate or self.stack.adsorbate_nm > 0:
            slds.append(np.full(batch, sld("CH2", density_of("CH2"), wave)))
            fixed = np.full(batch, 10.0 * self.stack.adsorbate_nm)
            thickness.append(fixed if self.adsorbate is None else vectors[:, self.adsorbate])
            roughness.append(roughness[-1])
        slds.append(np.zeros(batch, dtype=complex))
        return (
            np.stack(slds[::-1], axis=1),
            np.reshape(thickness[::-1], (len(thickness), batch)).T,
            np.stack(roughness[::-1], axis=1),
        )


def fft_thickness_nm(
    two_theta_deg: FloatArray, intensity: FloatArray, wavelength_angstrom: float, critical_q: float
) -> float:
    """Return a first guess of the thickness of one film from the period of its fringes [nm].

    q' = sqrt(q^2 - q_c^2); ln(I q'^4), a quadratic taken off, Hann window, highest peak of the power spectrum. On a
    multilayer it gives some sum of layers, so it is a seed only.
    """
    q = momentum_transfer(two_theta_deg, wavelength_angstrom)
    use = (q > 1.2 * critical_q) & (intensity > 0)
    if use.sum() < 20:
        return float("nan")
    inside = np.sqrt(q[use] ** 2 - critical_q**2)
    grid = np.linspace(inside[0], inside[-1], 1024)
    signal = np.interp(grid, inside, np.log(intensity[use] * inside**4))
    signal -= np.polyval(np.polyfit(grid, signal, 2), grid)
    power = np.abs(np.fft.rfft(signal * np.hanning(len(grid)), 8192)) ** 2
    depth = 2.0 * np.pi * np.fft.rfftfreq(8192, grid[1] - grid[0])
    seen = depth > 2.0 * np.pi / (grid[-1] - grid[0]) * 1.5
    return float(depth[seen][np.argmax(power[seen])]) / 10.0
