"""One stage of a schedule: batches of positions, the gradient's sum, and the step that is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from rutile_assets.techniques.ptychography.data import Loader, Patterns, layout_of
from rutile_assets.techniques.ptychography.depth import (
    REFERENCE_SLICE_ANGSTROM,
    STIFF,
    DepthPreconditioner,
    arctan_filter,
    heal_rings,
)
from rutile_assets.techniques.ptychography.memory import plan
from rutile_assets.techniques.ptychography.multislice import Gradient, Multislice
from rutile_assets.techniques.ptychography.noise import NoiseModel
from rutile_assets.techniques.ptychography.optics import mode_rotation, rotated
from rutile_assets.techniques.ptychography.ranks import ranks, summed_over_ranks
from rutile_assets.techniques.ptychography.recipes import Recipe, Stage
from rutile_assets.techniques.ptychography.state import Record, State

IndexArray = npt.NDArray[np.intp]

BEYOND_ANGSTROM = 3.0  # of the scan: columns are healed there too
MOST_UPDATES = 20  # an iteration
DIM = 0.01  # of the brightest pixel's curvature: added, so that the dim rim moves slowly
POSITION_STEP, MOST_SHIFT_PIXELS = 2.0, 0.15
MOST_TILT_MRAD = 0.5
LINE_SEARCH_POSITIONS = 4
LEAST_STEP, MOST_STEP = 0.02, 2.0
SHUFFLE, WITHHOLD = 1, 2  # streams of random numbers


class StageRun:
    """A stage at work on one device.

    Parameters
    ----------
    patterns : Patterns
        Checked.
    recipe : Recipe
        The schedule.
    index : int
        Which stage.
    device : torch.device
        Where the arrays live.
    dtype : torch.dtype
        complex64 or complex128.
    workers : int
        Threads over positions.
    """

    def __init__(
        self, patterns: Patterns, recipe: Recipe, index: int, device: torch.device, dtype: torch.dtype, workers: int
    ) -> None:
        self.patterns, self.recipe, self.index, self.device = patterns, recipe, index, device
        self.stage: Stage = recipe.stages[index]
        self.workers = max(1, workers)
        self.layout = layout_of(patterns, self.stage.padding)
        modes = recipe.modes_of(index)
        self.model = Multislice(self.layout.grid, recipe.slices, recipe.slice_angstrom, dtype, device)
        self.loader = Loader(patterns, self.layout, device, self.model.real)
        self.noise = NoiseModel(self.stage.noise, self.loader.mask)
        self.plan = plan(
            self.layout.grid.shape, self.layout.object_shape, recipe.slices, modes, self.stage.batch, device
        )
        self.train, self.withheld = _split(patterns, recipe)
        frames = len(patterns.positions_angstrom)
        self.gradients = [self.model.gradient(self.layout.object_shape, modes, frames) for _ in range(self.workers)]
        self.preconditioner: DepthPreconditioner | None = None
        self.stiff = False

    def iterate(self, state: State) -> Record:
        """Pass once over the patterns and return what came of it; `state` moves on."""
        self._prepare(state)
        rng = np.random.default_rng([self.recipe.seed, SHUFFLE, state.stage, state.iteration])
        order = rng.permutation(self.train)
        loss = chi_square = 0.0
        pixels = 0
        size = max(self.stage.batch, math.ceil(len(order) / MOST_UPDATES))
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            gradient = self._gradient(state, batch)
            loss, chi_square, pixels = loss + gradient.loss, chi_square + gradient.chi_square, pixels + gradient.pixels
            self._update(state, gradient, batch)
        fractions = self._settle(state)
        withheld = self._errors(state, self.withheld)
        return Record(
            state.stage, state.iteration, 2.0 * loss / pixels, chi_square / pixels, withheld[0], withheld[1],
            fractions, list(state.tilt_mrad), float(state.offsets.square().sum(1).mean().sqrt()),
        )  # fmt: skip

    def chi_squares(self, state: State) -> tuple[float, float]:
        """Return Pearson's chi-square per pixel over all good patterns, and over the withheld ones alone."""
        everything = np.sort(np.concatenate([self.train, self.withheld]))
        return self._errors(state, everything)[1], self._errors(state, self.withheld)[1]

    @staticmethod
    def picture_of(state: State) -> Callable[[], npt.NDArray[np.float32]]:
        """Return a function that makes the (H, W) depth mean when it is wanted."""
        return lambda: np.asarray(state.potential.mean(0).float().cpu().numpy())

    def _prepare(self, state: State) -> None:
        stage, slice_angstrom = self.stage, self.recipe.slice_angstrom
        self.model.set_tilt((state.tilt_mrad[0], state.tilt_mrad[1]))
        stiff = state.iteration < stage.stiff_iterations
        if self.preconditioner is None or stiff != self.stiff:
            weight = stage.depth_weight * (REFERENCE_SLICE_ANGSTROM / slice_angstrom) ** 2
            optics = self.patterns.optics
            self.preconditioner = DepthPreconditioner(
                (self.recipe.slices, *self.layout.object_shape), self.layout.grid.pixel_angstrom, slice_angstrom,
                optics.wavelength_angstrom, optics.convergence_semi_angle_mrad, stage.damping,
                STIFF if stiff else weight, stage.damping_k_per_angstrom, self.device, self.model.real,
            )  # fmt: skip
            self.stiff = stiff
        self.corners, self.rest = self.layout.place(self._positions(state))
        self.light = self._light(state.probe)

    def _light(self, probe: torch.Tensor) -> torch.Tensor:
        """Return (S, Y, X) the curvature ``2 |psi|^2`` [electron] of a pixel's phase under the probe in free space."""
        layers = []
        pixels = self.layout.grid.shape[0] * self.layout.grid.shape[1]
        wave = probe
        for _ in range(self.recipe.slices):
            layers.append(torch.fft.ifft2(wave).abs().square().sum(0))
            wave = wave * (self.model.step * pixels)
        return torch.stack(layers) * (2.0 * pixels)

    def _windows(self, chosen: IndexArray) -> list[tuple[int, int]]:
        return [(int(y), int(x)) for y, x in self.corners[chosen]]

    def _gradient(self, state: State, batch: IndexArray) -> Gradient:
        """Return the gradient's sum over a batch, by micro-batches, each worker its own share."""
        self.transmission = self.model.transmission(state.potential)
        rank, world = ranks()
        shares = np.array_split(np.array_split(batch, world)[rank], self.workers)
        if self.workers == 1:
            self._share(state, self.gradients[0], shares[0])
        else:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(lambda pair: self._share(state, *pair), zip(self.gradients, shares, strict=True)))
        whole = self.gradients[0]
        for part in self.gradients[1:]:
            whole.join(part)
        if world > 1:
            self._share_out(whole)
        return whole

    def _share_out(self, gradient: Gradient) -> None:
        scalars = torch.tensor([gradient.loss, gradient.chi_square, gradient.pixels], dtype=torch.float64)
        small = [part.to(self.device) for part in (scalars, gradient.shift, gradient.tilt)]
        summed_over_ranks(gradient.potential, gradient.probe, *small)
        gradient.loss, gradient.chi_square, gradient.pixels = float(small[0][0]), float(small[0][1]), int(small[0][2])
        gradient.shift, gradient.tilt = small[1].cpu(), small[2].cpu()

    def _share(self, state: State, gradient: Gradient, chosen: IndexArray) -> None:
        stage = self.stage
        gradient.reset()
        moving = stage.positions_from is not None and state.iteration >= stage.positions_from
        tilting = stage.tilt_from is not None and state.iteration >= stage.tilt_from
        for start in range(0, len(chosen), self.plan.micro_batch):
            some = chosen[start : start + self.plan.micro_batch]
            self.model.add(
                gradient, state.probe, self.transmission, self._windows(some), self.rest[some], self.loader(some),
                self.noise, some.tolist() if moving else None, tilting,
            )  # fmt: skip

    def _update(self, state: State, gradient: Gradient, batch: IndexArray) -> None:
        stage = self.stage
        object_way, probe_way = self._directions(state, gradient, batch)
        fallen = stage.step_decay**state.iteration
        object_step, probe_step = stage.object_step * fallen, stage.probe_step * fallen
        if stage.method == "lsqml":
            along = self._line_search(state, batch, object_way, probe_way)
            object_step, probe_step = object_step * along[0], probe_step * along[1]
        momentum = stage.momentum if stage.method == "momentum" else 0.0
        state.velocity.mul_(momentum).add_(object_way, alpha=object_step).clamp_(-stage.trust_rad, stage.trust_rad)
        state.potential.add_(state.velocity)
        if stage.positivity:
            state.potential.clamp_min_(0.0)
        if self._probe_moves(state):
            state.probe_velocity.mul_(momentum).add_(probe_way, alpha=probe_step)
            state.probe.add_(state.probe_velocity)
        self._move_positions(state, gradient, batch)
        self._tilt(state, gradient, batch)

    def _probe_moves(self, state: State) -> bool:
        return self.stage.probe_from is not None and state.iteration >= self.stage.probe_from

    def _directions(self, state: State, gradient: Gradient, batch: IndexArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the Gauss-Newton steps of object (S, H, W) and probe (M, Y, X) for this batch."""
        assert self.preconditioner is not None
        curvature = torch.zeros_like(state.potential)
        height, width = self.layout.grid.shape
        for y, x in self._windows(batch):
            curvature[:, y : y + height, x : x + width].add_(self.light)
        pull = self.preconditioner.pull(state.potential).mul_(curvature)
        floor = DIM * curvature.amax()
        way = gradient.potential_slope.add_(pull).div_(curvature.add_(floor)).neg_()
        probe_way = torch.conj_physical(gradient.probe).mul_(-0.5 / len(batch))
        return self.preconditioner(way), probe_way

    def _line_search(
        self, state: State, batch: IndexArray, object_way: torch.Tensor, probe_way: torch.Tensor
    ) -> tuple[float, float]:
        """Return the step lengths of object and probe by least squares on the square-rooted intensities.

        The joint 2 x 2 system of doi 10.1364/OE.26.003108, with the derivatives carried through all slices.
        """
        some = batch[:LINE_SEARCH_POSITIONS]
        normal, right = np.zeros((2, 2)), np.zeros(2)
        still = not self._probe_moves(state)
        for start in range(0, len(some), self.plan.micro_batch):
            part = some[start : start + self.plan.micro_batch]
            model, by_object, by_probe = self.model.tangents(
                state.probe, self.transmission, self._windows(part), self.rest[part], object_way, probe_way
            )
            root = (model + 0.375).sqrt()
            misfit = (self.loader(part) + 0.375).sqrt() - root
            columns = [by_object / (2.0 * root), by_probe / (2.0 * root)]
            if self.noise.mask is not None:
                misfit, columns = misfit * self.noise.mask, [column * self.noise.mask for column in columns]
            for i in range(2):
                right[i] += float((columns[i] * misfit).sum(dtype=torch.float64))
                for j in range(2):
                    normal[i, j] += float((columns[i] * columns[j]).sum(dtype=torch.float64))
        if still or normal[1, 1] <= 0:
            length = right[0] / max(normal[0, 0], 1e-30)
            return float(np.clip(length, LEAST_STEP, MOST_STEP)), 0.0
        lengths = np.linalg.solve(normal + 1e-6 * np.diag(np.diag(normal)), right)
        return tuple(float(v) for v in np.clip(lengths, LEAST_STEP, MOST_STEP))  # type: ignore[return-value]

    def _move_positions(self, state: State, gradient: Gradient, batch: IndexArray) -> None:
        if self.stage.positions_from is None or state.iteration < self.stage.positions_from:
            return
        power = state.probe.abs().square().sum(0).double()
        axes = (self.model.per_pixel_y, self.model.per_pixel_x)
        stiffness = torch.stack([2.0 * ((2.0 * torch.pi * k) ** 2 * power).sum() for k in axes]).cpu()
        step = (-POSITION_STEP * gradient.shift[batch] / stiffness).clamp(-MOST_SHIFT_PIXELS, MOST_SHIFT_PIXELS)
        state.offsets[batch] += step * torch.tensor(self.layout.grid.pixel_angstrom, dtype=torch.float64)

    def _tilt(self, state: State, gradient: Gradient, batch: IndexArray) -> None:
        if self.stage.tilt_from is None or state.iteration < self.stage.tilt_from:
            return
        power = state.probe.abs().square().sum(0).double()
        reach = 1e-3 * self.recipe.slice_angstrom * sum(range(self.recipe.slices))
        for axis, k in enumerate((self.model.per_pixel_y, self.model.per_pixel_x)):
            per_angstrom = 2.0 * torch.pi * k / self.layout.grid.pixel_angstrom[axis]
            stiffness = 2.0 * len(batch) * reach**2 * float((per_angstrom**2 * power).sum())
            step = float(gradient.tilt[axis]) / max(stiffness, 1e-30)
            state.tilt_mrad[axis] -= float(np.clip(step, -MOST_TILT_MRAD, MOST_TILT_MRAD))
        self.model.set_tilt((state.tilt_mrad[0], state.tilt_mrad[1]))

    def _settle(self, state: State) -> list[float]:
        """Do what is done once an iteration; return the modes' powers."""
        rotation, fractions = mode_rotation(state.probe)
        state.probe = rotated(state.probe, rotation)
        state.probe_velocity = rotated(state.probe_velocity, rotation)
        if self.stage.depth_filter > 0:
            state.potential = arctan_filter(
                state.potential, self.layout.grid.pixel_angstrom, self.recipe.slice_angstrom, self.stage.depth_filter
            ).contiguous()
            if self.stage.positivity:
                state.potential.clamp_min_(0.0)
        if state.iteration < self.stage.heal_until:
            self._heal(state)
        if self.stage.positions_from is not None:
            state.offsets -= state.offsets.mean(0)
        return [float(f) for f in fractions]

    def _heal(self, state: State) -> None:
        stack = state.potential.double().cpu().numpy()
        healed, _ = heal_rings(
            stack, self.layout.grid.pixel_angstrom[0], self.layout.field(self._positions(state), BEYOND_ANGSTROM)
        )
        moved = torch.from_numpy(healed != stack).to(self.device)
        state.potential = torch.from_numpy(healed).to(state.potential)
        state.velocity.masked_fill_(moved, 0.0)

    def _positions(self, state: State) -> npt.NDArray[np.float64]:
        positions: npt.NDArray[np.float64] = self.patterns.positions_angstrom + state.offsets.numpy()
        return positions

    def _errors(self, state: State, chosen: IndexArray) -> tuple[float, float]:
        """Return deviance and chi-square per pixel of some patterns, NaN for none."""
        if len(chosen) == 0:
            return float("nan"), float("nan")
        self.corners, self.rest = self.layout.place(self._positions(state))
        loss = chi_square = 0.0
        pixels = 0
        transmission = self.model.transmission(state.potential)
        for start in range(0, len(chosen), self.plan.micro_batch):
            some = chosen[start : start + self.plan.micro_batch]
            data = self.loader(some)
            seen = self.model.patches(transmission, self._windows(some))
            far = torch.fft.fft2(self.model.waves(state.probe, self.model.ramp(self.rest[some]), seen)[-1])
            part, _, pearson = self.noise.evaluate(torch.mul(far, far.conj()).sum(1).real, data)
            loss, chi_square, pixels = loss + part, chi_square + pearson, pixels + self.noise.pixels(data)
        return 2.0 * loss / pixels, chi_square / pixels


def _split(patterns: Patterns, recipe: Recipe) -> tuple[IndexArray, IndexArray]:
    """Return the frames that are fitted and those that are withheld, each in rising order."""
    good = np.arange(len(patterns.positions_angstrom))
    if patterns.good_frames is not None:
        good = good[patterns.good_frames]
    rng = np.random.default_rng([recipe.seed, WITHHOLD])
    withheld = np.sort(rng.permutation(good)[: round(recipe.withheld_fraction * len(good))])
    return np.setdiff1d(good, withheld), withheld
