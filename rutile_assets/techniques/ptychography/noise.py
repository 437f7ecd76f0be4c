"""How counts scatter about the model: amplitude, Anscombe and Poisson likelihoods, in nats.

For counts d and a model I. Amplitude: ``2 (sqrt I - sqrt d)^2``. Anscombe, doi 10.1093/biomet/35.3-4.246:
``2 (sqrt(I + 3/8) - sqrt(d + 3/8))^2``. Poisson: ``I - d + d log(d / I)``. All three have half a squared pull per pixel
where counts are many, so that steps and weights mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from rutile_assets.errors import InvalidRecord

NoiseName = Literal["amplitude", "anscombe", "poisson"]
ANSCOMBE = 0.375
DARK_ELECTRONS = 0.05  # Pearson's denominator does not go below
TINY_ELECTRONS = 1e-6


@dataclass(frozen=True)
class NoiseModel:
    """A likelihood and the pixels it counts.

    Parameters
    ----------
    name : str
        "amplitude", "anscombe" or "poisson".
    mask : torch.Tensor, optional
        (Y, X) 1 where a pixel is measured and 0 where it is not, FFT order; None: all are.

    Raises
    ------
    InvalidRecord
        The name is not one of the three.
    """

    name: NoiseName
    mask: torch.Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse a name that is not known."""
        if self.name not in get_args(NoiseName):
            raise InvalidRecord(
                f"noise model {self.name!r}", f"one of {', '.join(get_args(NoiseName))}", "Correct the recipe."
            )

    def pixels(self, data: torch.Tensor) -> int:
        """Return how many measured pixels `data` (B, Y, X) has."""
        return data.numel() if self.mask is None else len(data) * int(self.mask.sum())

    def evaluate(self, model: torch.Tensor, data: torch.Tensor) -> tuple[float, torch.Tensor, float]:
        """Return the loss, its slope dL/dI and Pearson's chi-square.

        Parameters
        ----------
        model, data : torch.Tensor
            (B, Y, X) expected and counted electrons.

        Returns
        -------
        loss : float
            Summed over measured pixels [nat].
        slope : torch.Tensor
            (B, Y, X) dL/d(model); 0 where nothing is measured.
        chi_square : float
            ``sum (data - model)^2 / max(model, 0.05)`` over measured pixels, over what a true model would have of it a
            pixel: dark pixels, which expect less than 1, make it no smaller.
        """
        misfit = data - model
        weight = 1.0 / model.clamp_min(DARK_ELECTRONS)
        pearson, expected_pearson = misfit.square().mul_(weight), model * weight
        if self.name == "poisson":
            safe = model.clamp_min(TINY_ELECTRONS)
            loss = torch.xlogy(data, data / safe).sub_(misfit)
            slope = 1.0 - data / safe
        else:
            offset = ANSCOMBE if self.name == "anscombe" else TINY_ELECTRONS
            expected, counted = (model + offset).sqrt_(), (data + offset).sqrt_()
            loss = (expected - counted).square_().mul_(2.0)
            slope = 2.0 - 2.0 * counted.div_(expected)
        if self.mask is not None:
            slope, loss = slope.mul_(self.mask), loss.mul_(self.mask)
            pearson, expected_pearson = pearson.mul_(self.mask), expected_pearson.mul_(self.mask)
        share = float(expected_pearson.sum(dtype=torch.float64)) / max(self.pixels(data), 1)
        chi_square = float(pearson.sum(dtype=torch.float64)) / max(share, 1e-12)
        return float(loss.sum(dtype=torch.float64)), slope, chi_square
