"""What every engine is given and how it is timed: the scan, the FFT floor, a clock of CPU seconds.

Imports neither this package nor any peer: it is read by programs that run in the peers' own environment.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

FRAME_ROWS, PATTERN = 130, 128
ANSCOMBE = 0.375
FFTS_BETWEEN = 400  # batches of M, timed between two iterations


@dataclass(frozen=True)
class Job:
    """A scan and the settings that are the same for all engines.

    Parameters
    ----------
    electrons : ndarray
        (N, 128, 128) counts, zero angle at pixel (64, 64) [electron].
    side : int
        Positions along each side: N = side^2, rows along y.
    step_angstrom : float
        From position to position.
    modes, slices, iterations, batch : int
        M, S, passes over the patterns, positions between two updates.
    slice_angstrom : float
        From slice to slice.
    """

    electrons: npt.NDArray[np.float32]
    side: int
    step_angstrom: float
    modes: int
    slices: int
    slice_angstrom: float
    iterations: int
    batch: int

    kilovolt = 200.0
    aperture_mrad = 26.0
    pixel_mrad = 0.78
    overfocus_angstrom = 100.0
    wavelength_angstrom = 0.0250793

    @property
    def pixel_angstrom(self) -> float:
        """Real-space pixel of the exit wave."""
        return self.wavelength_angstrom / (1e-3 * self.pixel_mrad * PATTERN)

    @property
    def positions_angstrom(self) -> npt.NDArray[np.float64]:
        """(N, 2) y, x."""
        return np.argwhere(np.ones((self.side, self.side))) * self.step_angstrom


def probe_modes(job: Job) -> npt.NDArray[np.complex64]:
    """Return (M, 128, 128) real-space modes about pixel (64, 64): overfocused, 2 % in each weak one; sum: electrons."""
    k = np.fft.fftfreq(PATTERN, job.pixel_angstrom)
    k_squared = k[:, None] ** 2 + k[None, :] ** 2
    inside = 1e3 * job.wavelength_angstrom * np.sqrt(k_squared) <= job.aperture_mrad
    chi = np.pi * job.wavelength_angstrom * job.overfocus_angstrom * k_squared
    wave = np.fft.fftshift(np.fft.ifft2(inside * np.exp(-1j * chi)))
    across = np.arange(PATTERN) - PATTERN // 2
    orders = [(order - i, i) for order in range(job.modes) for i in range(order + 1)][: job.modes]
    modes = np.stack([wave * across[:, None] ** a * across[None, :] ** b for a, b in orders])
    share = np.array([1.0 - 0.02 * (job.modes - 1)] + [0.02] * (job.modes - 1))
    power = (np.abs(modes) ** 2).sum((1, 2))
    dose = job.electrons.sum((1, 2), dtype=float).mean()
    return (modes * np.sqrt(dose * share / power)[:, None, None]).astype(np.complex64)


def job_from_arguments() -> Job:
    """Read the job that the command line names; one thread from here on."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("raw", type=Path)
    for name, default in (("side", 14), ("modes", 2), ("slices", 10), ("iterations", 3), ("batch", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--thickness", type=float, default=100.0)
    asked = parser.parse_args()
    told = json.loads(asked.raw.with_suffix(".json").read_text())
    frames = np.memmap(asked.raw, "<f4", mode="r").reshape(told["ny"], told["nx"], FRAME_ROWS, PATTERN)
    some = frames[: asked.side, : asked.side, :PATTERN].reshape(-1, PATTERN, PATTERN)
    electrons = np.maximum(np.asarray(some) / np.float32(told["adu"]), np.float32(0.0))
    return Job(
        electrons, asked.side, told["step"], asked.modes, asked.slices,
        asked.thickness / asked.slices, asked.iterations, asked.batch,
    )  # fmt: skip


def fft_seconds(modes: int, pixels: int = PATTERN, times: int = FFTS_BETWEEN) -> float:
    """Return the CPU seconds of one 2-D FFT within batches of `modes`: the mean."""
    wave = torch.randn(modes, pixels, pixels, dtype=torch.complex64)
    torch.fft.fft2(wave)
    start = time.process_time()
    for _ in range(times):
        torch.fft.fft2(wave)
    return (time.process_time() - start) / (times * modes)


class Clock:
    """CPU seconds of each iteration with the error reached in it; what measuring costs is not counted."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.seconds: list[float] = []
        self.errors: list[float] = []
        self.ffts = [fft_seconds(job.modes)]
        self.sum, self.pixels = 0.0, 0
        self.before_mib = peak_mib()
        self.start = time.process_time()

    def add_error(self, model: torch.Tensor, electrons: torch.Tensor) -> None:
        """Add the Anscombe deviance ``4 (sqrt(I + 3/8) - sqrt(d + 3/8))^2`` of some patterns."""
        begun = time.process_time()
        with torch.no_grad():
            misfit = (model + ANSCOMBE).sqrt() - (electrons + ANSCOMBE).sqrt()
            self.sum += 4.0 * float(misfit.square().sum(dtype=torch.float64))
            self.pixels += electrons.numel()
        self.start += time.process_time() - begun

    def tick(self, error: float | None = None) -> None:
        """End an iteration."""
        now = time.process_time()
        self.seconds.append(now - self.start)
        self.errors.append(error if error is not None else self.sum / max(self.pixels, 1) or float("nan"))
        self.sum, self.pixels = 0.0, 0
        self.ffts.append(fft_seconds(self.job.modes))
        print(f"{len(self.seconds)}: {self.seconds[-1]:.2f} s, {self.errors[-1]:.3f}", file=sys.stderr, flush=True)
        self.start = time.process_time()

    def tell(self, engine: str) -> None:
        """Print what was measured, one JSON line."""
        job = self.job
        ffts = len(job.electrons) * job.modes * (2 * job.slices - 1) * 2
        print(json.dumps({
            "engine": engine, "positions": len(job.electrons), "modes": job.modes, "slices": job.slices,
            "batch": job.batch, "fft_s": sorted(self.ffts)[len(self.ffts) // 2], "ffts": ffts,
            "seconds": self.seconds, "errors": self.errors, "before_mib": self.before_mib, "peak_mib": peak_mib(),
        }), flush=True)  # fmt: skip


def peak_mib() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def stand_in_for_torchvision() -> None:
    """Offer what two peers import from torchvision, which does not load beside the CPU build of torch."""

    def gaussian_blur(image: torch.Tensor, kernel_size: int, sigma: float) -> torch.Tensor:
        at = torch.arange(kernel_size, dtype=image.dtype) - (kernel_size - 1) / 2
        line = torch.exp(-0.5 * (at / sigma) ** 2)
        line = line / line.sum()
        flat = image.reshape(-1, 1, *image.shape[-2:])
        half = kernel_size // 2
        flat = torch.nn.functional.pad(flat, (half, half, half, half), mode="reflect")
        flat = torch.nn.functional.conv2d(
            torch.nn.functional.conv2d(flat, line[None, None, :, None]), line[None, None, None]
        )
        return flat.reshape(image.shape)

    class GaussianBlur:
        def __init__(self, kernel_size: int, sigma: float) -> None:
            self.size, self.sigma = kernel_size, sigma

        def __call__(self, image: torch.Tensor) -> torch.Tensor:
            return gaussian_blur(image, self.size, self.sigma)

    whole, transforms, functional = (
        types.ModuleType(name)
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    )
    functional.gaussian_blur = gaussian_blur  # type: ignore[attr-defined]
    transforms.GaussianBlur, transforms.functional = GaussianBlur, functional  # type: ignore[attr-defined]
    whole.transforms = transforms  # type: ignore[attr-defined]
    for module in (whole, transforms, functional):
        sys.modules[module.__name__] = module


os.environ.setdefault("MPLBACKEND", "Agg")
