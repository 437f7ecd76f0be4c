"""From patterns to object and probe: batches, preconditioned steps, when to stop, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rutile_assets.errors import WrongContent
from rutile_assets.techniques.ptychography.data import Layout, Patterns, checked, layout_of
from rutile_assets.techniques.ptychography.depth import SliceCheck, check_slices
from rutile_assets.techniques.ptychography.memory import MemoryPlan
from rutile_assets.techniques.ptychography.optics import padded_probe, probe_modes, probe_wave
from rutile_assets.techniques.ptychography.recipes import Recipe
from rutile_assets.techniques.ptychography.stage import StageRun
from rutile_assets.techniques.ptychography.state import Record, State, fingerprint, load, save

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """What is told after each iteration.

    Parameters
    ----------
    record : Record
        The iteration.
    done, total : int
        Iterations so far, and at most.
    seconds_left : float
        If all iterations of all stages run, at this stage's pace and that of later stages by their pixels.
    plan : MemoryPlan
        Of this stage.
    picture : callable
        Returns the (H, W) depth mean of the potential [rad], for a live view.
    """

    record: Record
    done: int
    total: int
    seconds_left: float
    plan: MemoryPlan
    picture: Callable[[], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Reconstruction:
    """The object, the probe, and how they came about.

    Parameters
    ----------
    potential_rad : ndarray
        (S, H, W) phase that each slice gives the wave; slice 0 is where the beam enters [rad].
    pixel_angstrom, slice_angstrom : float
        Sampling [angstrom].
    origin_angstrom : tuple of float
        Scan coordinate (y, x) of pixel (0, 0) [angstrom].
    field : tuple of slice
        Rows and columns that the scan covers.
    probe : ndarray
        (M, Y, X) orthogonal modes at the entrance, Fourier space, FFT order; sum of squares: electrons a pattern.
    mode_fractions : ndarray
        (M,) their powers.
    positions_angstrom : ndarray
        (N, 2) as refined.
    tilt_mrad : tuple of float
        Mistilt (y, x) as refined.
    history : tuple of Record
        All iterations of all stages.
    best_iterations : tuple of int
        For each stage the iteration that was kept.
    stopped_because : tuple of str
        For each stage.
    chi_square_per_pixel : float
        Pearson's, all good patterns and pixels, of what is returned.
    withheld_chi_square_per_pixel : float
        The same of the patterns that were never fitted; NaN where none was withheld.
    slices_check : SliceCheck
        Phase of a slice against pi, and rings.
    notes : tuple of str
        What a reader must know.
    """

    potential_rad: npt.NDArray[np.float32]
    pixel_angstrom: float
    slice_angstrom: float
    origin_angstrom: tuple[float, float]
    field: tuple[slice, slice]
    probe: npt.NDArray[np.complex64]
    mode_fractions: FloatArray
    positions_angstrom: FloatArray
    tilt_mrad: tuple[float, float]
    history: tuple[Record, ...]
    best_iterations: tuple[int, ...]
    stopped_because: tuple[str, ...]
    chi_square_per_pixel: float
    withheld_chi_square_per_pixel: float
    slices_check: SliceCheck
    notes: tuple[str, ...]

    @property
    def reduced_chi_square(self) -> float:
        """Chi-square per degree of freedom, NaN where nothing was withheld.

        A fit of p numbers to n pixels leaves s^2 (1 - p/n) a pixel of what it fitted and s^2 (1 + p/n) of what is new
        (Efron 2004, doi 10.1198/016214504000000692), so that s^2 is their mean.
        """
        return 0.5 * (self.chi_square_per_pixel + self.withheld_chi_square_per_pixel)

    def depth_mean(self, first: int, last: int) -> FloatArray:
        """Return the (H, W) mean of slices `first` to `last`, both included, counted from 0 [rad]."""
        return np.asarray(self.potential_rad[first : last + 1].mean(0), dtype=float)


def reconstruct(
    patterns: Patterns,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    device: torch.device | str = "cpu",
    workers: int = 1,
    dtype: torch.dtype = torch.complex64,
) -> Reconstruction:
    """Reconstruct object and probe.

    Parameters
    ----------
    patterns : Patterns
        Counts, positions, optics.
    recipe : Recipe
        The schedule; `RECIPES` holds the named ones.
    checkpoint : Path, optional
        Where the state is kept; if it is there, the run goes on from it, bit for bit as if never stopped.
    progress : callable, optional
        Called after each iteration.
    device : torch.device or str
        "cpu", "cuda", "cuda:1".
    workers : int
        Threads over positions (CPU). Sums are taken in a fixed order for each number of workers.
    dtype : torch.dtype
        complex64, or complex128 for tests.

    Returns
    -------
    Reconstruction
        Of the iteration with the least withheld error in the last stage (the last one where nothing is withheld).

    Raises
    ------
    WrongContent
        The data cannot be used, do not fit memory, or the checkpoint belongs to another job.
    UnreadableFile
        The checkpoint is damaged.
    """
    place = torch.device(device)
    whole, notes = checked(patterns)
    job = fingerprint(whole, recipe)
    state = load(checkpoint, job, place) if checkpoint is not None and checkpoint.exists() else None
    if state is None:
        state = _initial(whole, recipe, place, dtype)
    total = sum(stage.iterations for stage in recipe.stages)
    run = None
    while state.stage < len(recipe.stages):
        run = StageRun(whole, recipe, state.stage, place, dtype, workers)
        _run_stage(run, state, recipe, total, job, checkpoint, progress)
    if run is None:
        run = StageRun(whole, recipe, len(recipe.stages) - 1, place, dtype, workers)
    return _result(run, state, whole, notes)


def _initial(patterns: Patterns, recipe: Recipe, device: torch.device, dtype: torch.dtype) -> State:
    """Return vacuum and the probe of the microscope's settings, as bright as the mean pattern."""
    layout = layout_of(patterns, recipe.stages[0].padding)
    good = np.arange(len(patterns.positions_angstrom))
    if patterns.good_frames is not None:
        good = good[patterns.good_frames]
    some = good[np.unique(np.linspace(0, len(good) - 1, 64).astype(int))]
    electrons = float(np.nan_to_num(patterns.electrons(some)).sum((1, 2), dtype=float).mean())
    coherent = probe_wave(patterns.optics, layout.grid, electrons)
    probe = probe_modes(coherent, recipe.modes_of(0)).to(device=device, dtype=dtype)
    real = torch.float64 if dtype == torch.complex128 else torch.float32
    potential = torch.zeros((recipe.slices, *layout.object_shape), dtype=real, device=device)
    offsets = torch.zeros((len(patterns.positions_angstrom), 2), dtype=torch.float64)
    return State(
        potential, potential.clone(), probe, torch.zeros_like(probe), offsets,
        potential.clone(), probe.clone(), offsets.clone(),
    )  # fmt: skip


def _run_stage(
    run: StageRun,
    state: State,
    recipe: Recipe,
    total: int,
    job: str,
    checkpoint: Path | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    stage = recipe.stages[state.stage]
    before = sum(s.iterations for s in recipe.stages[: state.stage])
    later = sum(s.iterations * (s.padding / stage.padding) ** 2 for s in recipe.stages[state.stage + 1 :])
    started, first = time.monotonic(), state.iteration
    reason = f"all {stage.iterations} iterations"
    while state.iteration < stage.iterations:
        record = run.iterate(state)
        state.history.append(record)
        error = record.withheld_deviance_per_pixel
        if not np.isfinite(record.deviance_per_pixel):
            raise WrongContent("an error that is not a number", "a finite one", "Take smaller steps in the recipe.")
        if not error >= state.best_error:  # better, or nothing is withheld
            state.keep_best(error if np.isfinite(error) else float("inf"))
        state.iteration += 1
        if progress is not None:
            pace = (time.monotonic() - started) / (state.iteration - first)
            left = pace * (stage.iterations - state.iteration + later)
            progress(Progress(record, before + state.iteration, total, left, run.plan, run.picture_of(state)))
        if stage.patience and np.isfinite(error) and state.iteration - 1 - state.best_at >= stage.patience:
            reason = f"no better withheld error in {stage.patience} iterations"
            break
        if checkpoint is not None and state.iteration % recipe.checkpoint_every == 0:
            save(state, checkpoint, job)
    state.stopped.append(reason)
    state.best_each.append(state.best_at)
    state.back_to_best()
    if state.stage + 1 < len(recipe.stages):
        _refine_grid(state, run.layout, recipe.stages[state.stage + 1].padding, run)
        _more_modes(state, recipe.modes_of(state.stage + 1))
    state.stage, state.iteration, state.best_error, state.best_at = state.stage + 1, 0, float("inf"), -1
    if checkpoint is not None:
        save(state, checkpoint, job)


def _refine_grid(state: State, layout: Layout, padding: int, run: StageRun) -> None:
    """Carry object and probe to the next stage's grid."""
    factor = padding // layout.padding
    if factor == 1:
        return
    fine = layout_of(run.patterns, padding)
    state.potential = finer(state.potential, factor)
    if run.stage.positivity:
        state.potential.clamp_min_(0.0)
    state.probe = padded_probe(state.probe, fine.grid.shape)
    state.velocity, state.probe_velocity = torch.zeros_like(state.potential), torch.zeros_like(state.probe)
    state.best_potential, state.best_probe = state.potential.clone(), state.probe.clone()


def _more_modes(state: State, modes: int) -> None:
    """Add weak modes to those at hand, each the strongest times a real-space monomial."""
    here = len(state.probe)
    if modes > here:
        new = probe_modes(state.probe[0].to(device="cpu", dtype=torch.complex128), modes)[here:]
        state.probe = torch.cat([state.probe, new.to(device=state.probe.device, dtype=state.probe.dtype)])
    state.probe = state.probe[:modes].clone()
    state.probe_velocity, state.best_probe = torch.zeros_like(state.probe), state.probe.clone()


def finer(potential: torch.Tensor, factor: int) -> torch.Tensor:
    """Return (S, factor H, factor W), the band-limited interpolation; pixel (i, j) stays at (factor i, factor j)."""
    slices, height, width = potential.shape
    spectrum = torch.fft.fftshift(torch.fft.fft2(potential), dim=(-2, -1))
    out = torch.zeros((slices, factor * height, factor * width), dtype=spectrum.dtype, device=potential.device)
    top, left = factor * height // 2 - height // 2, factor * width // 2 - width // 2
    out[:, top : top + height, left : left + width] = spectrum
    values: torch.Tensor = torch.fft.ifft2(torch.fft.ifftshift(out, dim=(-2, -1))).real
    return values.mul(factor**2).contiguous()


def _result(run: StageRun, state: State, patterns: Patterns, notes: tuple[str, ...]) -> Reconstruction:
    layout = run.layout
    positions = patterns.positions_angstrom + state.offsets.numpy()
    pixel = layout.grid.pixel_angstrom
    field = layout.field(positions)
    potential = state.potential.float().cpu().numpy()
    check = check_slices(potential.astype(float), pixel[0], field)
    power = state.probe.abs().square().sum((-2, -1)).double().cpu().numpy()
    return Reconstruction(
        potential, pixel[0], run.recipe.slice_angstrom, layout.origin_angstrom, field,
        state.probe.to(torch.complex64).cpu().numpy(), power / power.sum(), positions,
        (state.tilt_mrad[0], state.tilt_mrad[1]), tuple(state.history), tuple(state.best_each),
        tuple(state.stopped), *run.chi_squares(state), check,
        (*notes, check.sentence(len(potential))),
    )  # fmt: skip
