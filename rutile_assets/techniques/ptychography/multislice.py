"""The multislice forward model with incoherent probe modes, and its adjoint written by hand.

Shapes: B positions of one micro-batch, M modes, S slices, (Y, X) the pattern's grid, (H, W) the object's.

``psi_0 = F^-1[p R_n]``, ``phi_s = psi_s exp(i V_s)``, ``psi_{s+1} = F^-1[P F phi_s]``, ``Psi = F phi_{S-1}``,
``I = sum_m |Psi_m|^2`` in electrons. R_n is the phase ramp of the position's sub-pixel part. F is the plain sum, and
the 1/(YX) of F^-1 is folded into the ramp and the propagator, so that no pass over memory is spent on it. The adjoint
carries the conjugate of the wave gradient, so that nothing is conjugated on the way up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rutile_assets.techniques.ptychography.noise import NoiseModel
from rutile_assets.techniques.ptychography.optics import Grid, propagator

REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}


@dataclass
class Gradient:
    """Derivatives of the loss, summed over the positions added so far.

    Parameters
    ----------
    loss : float
        Negative log-likelihood [nat].
    potential : torch.Tensor
        (S, H, W) complex: ``-2 x imaginary part`` is dL/dV.
    probe : torch.Tensor
        (M, Y, X) complex: the conjugate of dL/dp* (Wirtinger), Fourier space.
    shift : torch.Tensor
        (N, 2) dL/d(position) [nat/pixel], filled where asked for.
    tilt : torch.Tensor
        (2,) dL/d(tilt) [nat/mrad], filled where asked for.
    chi_square : float
        Sum over pixels of Pearson's ``(data - model)^2 / model``.
    pixels : int
        How many pixels that sum counts.
    """

    loss: float
    potential: torch.Tensor
    probe: torch.Tensor
    shift: torch.Tensor
    tilt: torch.Tensor
    chi_square: float = 0.0
    pixels: int = 0

    @property
    def potential_slope(self) -> torch.Tensor:
        """(S, H, W) real, dL/dV [nat/rad]."""
        return -2.0 * self.potential.imag

    def reset(self) -> None:
        """Forget all positions."""
        self.loss = self.chi_square = 0.0
        self.pixels = 0
        for part in (self.potential, self.probe, self.shift, self.tilt):
            part.zero_()

    def join(self, other: Gradient) -> None:
        """Add what another worker has summed."""
        self.loss, self.chi_square = self.loss + other.loss, self.chi_square + other.chi_square
        self.pixels += other.pixels
        for name in ("potential", "probe", "shift", "tilt"):
            getattr(self, name).add_(getattr(other, name))


class Multislice:
    """Forward model and adjoint on one device.

    Parameters
    ----------
    grid : Grid
        The pattern's grid.
    slices : int
        S.
    slice_angstrom : float
        Distance from slice to slice [angstrom].
    dtype : torch.dtype
        complex64, or complex128 for tests.
    device : torch.device
        Where all arrays live.
    tilt_mrad : tuple of float
        Mistilt (y, x) [mrad].
    """

    def __init__(
        self,
        grid: Grid,
        slices: int,
        slice_angstrom: float,
        dtype: torch.dtype = torch.complex64,
        device: torch.device | str = "cpu",
        tilt_mrad: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.grid, self.slices, self.slice_angstrom = grid, slices, slice_angstrom
        self.dtype, self.device = dtype, torch.device(device)
        self.real = REAL[dtype]
        ky, kx = grid.frequencies()
        self.per_pixel_y = self._on_device(torch.from_numpy(ky * grid.pixel_angstrom[0]), self.real)
        self.per_pixel_x = self._on_device(torch.from_numpy(kx * grid.pixel_angstrom[1]), self.real)
        self.set_tilt(tilt_mrad)

    def _on_device(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return tensor.to(device=self.device, dtype=dtype)

    def set_tilt(self, tilt_mrad: tuple[float, float]) -> None:
        """Set the mistilt (y, x) [mrad]."""
        self.tilt_mrad = tilt_mrad
        free = propagator(self.grid, self.slice_angstrom, tilt_mrad) / (self.grid.shape[0] * self.grid.shape[1])
        self.step = self._on_device(free, self.dtype)

    def transmission(self, potential: torch.Tensor) -> torch.Tensor:
        """Return ``exp(i V)``, (S, H, W) complex, of a potential in radians."""
        out = torch.empty(potential.shape, dtype=self.dtype, device=self.device)
        parts = torch.view_as_real(out)
        torch.cos(potential, out=parts[..., 0])
        torch.sin(potential, out=parts[..., 1])
        return out

    def ramp(self, shift: torch.Tensor) -> torch.Tensor:
        """Return (B, Y, X) ``exp(-2 pi i k r) / (Y X)`` of sub-pixel shifts (B, 2) [pixel]."""
        shift = self._on_device(shift, self.real)
        y = torch.exp(-2j * torch.pi * self.per_pixel_y * shift[:, 0, None, None])
        x = torch.exp(-2j * torch.pi * self.per_pixel_x * shift[:, 1, None, None])
        return (y * (x / (self.grid.shape[0] * self.grid.shape[1]))).to(self.dtype)

    def patches(self, field: torch.Tensor, corners: list[tuple[int, int]]) -> torch.Tensor:
        """Return what the positions see, (B, S, Y, X): a view of `field` for one position, else a copy."""
        height, width = self.grid.shape
        views = [field[:, y : y + height, x : x + width] for y, x in corners]
        return views[0][None] if len(views) == 1 else torch.stack(views)

    def waves(self, probe: torch.Tensor, ramp: torch.Tensor, seen: torch.Tensor) -> list[torch.Tensor]:
        """Return the wave after each slice, S tensors of (B, M, Y, X).

        Parameters
        ----------
        probe : torch.Tensor
            (M, Y, X), Fourier space.
        ramp : torch.Tensor
            (B, Y, X) from `ramp`.
        seen : torch.Tensor
            (B, S, Y, X) transmission from `patches`.
        """
        wave = torch.fft.ifft2(probe[None] * ramp[:, None], norm="forward")
        after = [wave.mul_(seen[:, 0, None])]
        for s in range(1, self.slices):
            wave = torch.fft.ifft2(torch.fft.fft2(wave).mul_(self.step), norm="forward")
            after.append(wave.mul_(seen[:, s, None]))
        return after

    def patterns(
        self, probe: torch.Tensor, potential: torch.Tensor, corners: list[tuple[int, int]], shift: torch.Tensor
    ) -> torch.Tensor:
        """Return the expected patterns (B, Y, X) in electrons, FFT order."""
        seen = self.patches(self.transmission(potential), corners)
        far = torch.fft.fft2(self.waves(probe, self.ramp(shift), seen)[-1])
        return torch.mul(far, far.conj()).sum(1).real

    def tangents(
        self,
        probe: torch.Tensor,
        transmission: torch.Tensor,
        corners: list[tuple[int, int]],
        shift: torch.Tensor,
        object_step: torch.Tensor,
        probe_step: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the expected patterns and their derivatives along a step of the object and one of the probe.

        Parameters
        ----------
        probe, transmission, corners, shift
            As in `add`.
        object_step : torch.Tensor
            (S, H, W) real [rad].
        probe_step : torch.Tensor
            (M, Y, X) complex.

        Returns
        -------
        tuple of torch.Tensor
            I, dI of the object's step, dI of the probe's, each (B, Y, X) [electron].
        """
        ramp, seen = self.ramp(shift), self.patches(transmission, corners)
        steps = self.patches(object_step, corners)
        wave = torch.fft.ifft2(probe[None] * ramp[:, None], norm="forward")
        by_probe = torch.fft.ifft2(probe_step[None] * ramp[:, None], norm="forward")
        by_object = torch.zeros_like(wave)
        for s in range(self.slices):
            if s > 0:
                wave, by_object, by_probe = (
                    torch.fft.ifft2(torch.fft.fft2(field).mul_(self.step), norm="forward")
                    for field in (wave, by_object, by_probe)
                )
            wave, by_object, by_probe = (field.mul_(seen[:, s, None]) for field in (wave, by_object, by_probe))
            by_object.add_(1j * steps[:, s, None] * wave)
        far, far_object, far_probe = (torch.fft.fft2(field) for field in (wave, by_object, by_probe))
        back = far.conj()
        return (
            torch.mul(far, back).sum(1).real,
            2.0 * torch.mul(far_object, back).sum(1).real,
            2.0 * torch.mul(far_probe, back).sum(1).real,
        )

    def gradient(self, object_shape: tuple[int, int], modes: int, positions: int) -> Gradient:
        """Return an empty gradient for an object of (H, W) and N positions."""
        return Gradient(
            0.0,
            torch.zeros((self.slices, *object_shape), dtype=self.dtype, device=self.device),
            torch.zeros((modes, *self.grid.shape), dtype=self.dtype, device=self.device),
            torch.zeros((positions, 2), dtype=torch.float64),
            torch.zeros(2, dtype=torch.float64),
        )

    def add(
        self,
        into: Gradient,
        probe: torch.Tensor,
        transmission: torch.Tensor,
        corners: list[tuple[int, int]],
        shift: torch.Tensor,
        data: torch.Tensor,
        noise: NoiseModel,
        which: list[int] | None = None,
        tilt: bool = False,
    ) -> None:
        """Add the loss of some positions and its derivatives.

        Parameters
        ----------
        into : Gradient
            Where to add; `which` are the rows of ``into.shift`` (None: shifts are not wanted).
        probe : torch.Tensor
            (M, Y, X), Fourier space.
        transmission : torch.Tensor
            (S, H, W) from `transmission`.
        corners : list of tuple of int
            B object pixels that the patterns' pixel (0, 0) sees.
        shift : torch.Tensor
            (B, 2) sub-pixel part of the positions [pixel].
        data : torch.Tensor
            (B, Y, X) electrons, FFT order.
        noise : NoiseModel
            The likelihood, with its mask.
        tilt : bool
            Whether dL/d(tilt) is wanted too: one more FFT a slice.
        """
        ramp = self.ramp(shift)
        seen = self.patches(transmission, corners)
        after = self.waves(probe, ramp, seen)
        far = torch.fft.fft2(after[-1])
        back = torch.conj_physical(far)
        model = torch.mul(far, back).sum(1).real
        loss, slope, chi_square = noise.evaluate(model, data)
        into.loss += loss
        into.chi_square += chi_square
        into.pixels += noise.pixels(data)
        back = torch.fft.fft2(back.mul_(slope[:, None]))
        gathered = self.patches(into.potential, corners) if len(corners) == 1 else torch.empty_like(seen)
        for s in range(self.slices - 1, -1, -1):
            product = torch.mul(after[s], back)
            if len(corners) == 1:
                for mode in product[0]:
                    gathered[0, s].add_(mode)
            else:
                torch.sum(product, 1, out=gathered[:, s])
            back.mul_(seen[:, s, None])
            if s > 0:
                spectrum = torch.fft.ifft2(back, norm="forward").mul_(self.step)
                if tilt:
                    self._add_tilt(into, torch.fft.fft2(after[s - 1]).mul_(spectrum))
                back = torch.fft.fft2(spectrum)
        if len(corners) > 1:
            height, width = self.grid.shape
            for part, (y, x) in zip(gathered, corners, strict=True):
                into.potential[:, y : y + height, x : x + width].add_(part)
        spectrum = torch.fft.ifft2(back, norm="forward").mul_(ramp[:, None])
        into.probe.add_(spectrum.sum(0))
        if which is not None:
            into.shift[which] += 4.0 * torch.pi * self._moments(torch.mul(spectrum, probe))

    def _moments(self, overlap: torch.Tensor) -> torch.Tensor:
        """Return (B, 2) ``sum k Im(overlap)`` along y and x, k in cycles per pixel, of (B, M, Y, X)."""
        weight = overlap.sum(1).imag.double()
        return torch.stack([(weight * k).sum((-2, -1)) for k in (self.per_pixel_y, self.per_pixel_x)], -1).cpu()

    def _add_tilt(self, into: Gradient, overlap: torch.Tensor) -> None:
        lever = 4e-3 * torch.pi * self.slice_angstrom / torch.tensor(self.grid.pixel_angstrom, dtype=torch.float64)
        into.tilt += lever * self._moments(overlap).sum(0)
