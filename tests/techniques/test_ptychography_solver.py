"""Ptychography's solver: a small object found again, resumed bit for bit, stopped in time, bad data told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rutile_assets.errors import InvalidRecord, RutileError, UnreadableFile, WrongContent
from rutile_assets.techniques.ptychography.data import Patterns, checked, layout_of
from rutile_assets.techniques.ptychography.depth import (
    DepthPreconditioner,
    arctan_filter,
    check_slices,
    depth_coupling,
    heal_rings,
    second_difference,
)
from rutile_assets.techniques.ptychography.memory import needed_bytes, plan
from rutile_assets.techniques.ptychography.multislice import Multislice
from rutile_assets.techniques.ptychography.optics import Optics, probe_modes, probe_wave
from rutile_assets.techniques.ptychography.recipes import FAST, PAPER, RECIPES, Recipe, Stage
from rutile_assets.techniques.ptychography.solver import Progress, Reconstruction, finer, reconstruct
from rutile_assets.techniques.ptychography.uncertainty import bootstrap, fixed_length, half_data, ring_correlation

OPTICS = Optics(200.0, 26.0, 3.12, 4.0)  # 32 pixels: 0.25 angstrom in real space
SCAN, STEP_ANGSTROM = (7, 7), 0.8
SLICES, SLICE_ANGSTROM = 3, 10.0
SHORT = Recipe("short", 2, SLICES, SLICE_ANGSTROM, (Stage(12, batch=7, patience=0),), withheld_fraction=0.06)


def _columns(shape: tuple[int, int], pixel: float) -> np.ndarray:
    y, x = (np.indices(shape) - np.array(shape)[:, None, None] // 2) * pixel
    image = np.zeros(shape)
    for row in range(-3, 4):
        for column in range(-3, 4):
            height = 0.5 if (row + column) % 2 else 0.25
            image += height * np.exp(-((y - 2.0 * row) ** 2 + (x - 2.1 * column) ** 2) / (2 * 0.35**2))
    return image


@cache
def _simulated(noise: bool = True, tilt: tuple[float, float] = (0.0, 0.0)) -> tuple[Patterns, np.ndarray]:
    """Columns through twice as many slices as are fitted, two modes, Poisson counts."""
    positions = np.argwhere(np.ones(SCAN)) * STEP_ANGSTROM
    empty = Patterns(np.zeros((len(positions), 32, 32)), positions, OPTICS)
    layout = layout_of(empty)
    truth = _columns(layout.object_shape, layout.grid.pixel_angstrom[0])
    fine = torch.from_numpy(np.repeat(truth[None] / 2.0, 2 * SLICES, 0))
    model = Multislice(layout.grid, 2 * SLICES, SLICE_ANGSTROM / 2.0, torch.complex128, tilt_mrad=tilt)
    probe = probe_modes(probe_wave(OPTICS, layout.grid, 2e5), 2, 0.1)
    corners, rest = layout.place(positions)
    patterns = model.patterns(probe, fine, [tuple(c) for c in corners.tolist()], rest)
    if noise:
        patterns = torch.poisson(patterns, generator=torch.Generator().manual_seed(3))
    counts = np.fft.fftshift(patterns.numpy(), axes=(1, 2)).astype(np.float32)
    return replace(empty, counts=counts), truth


def _agreement(found: Reconstruction, truth: np.ndarray) -> float:
    rows, columns = found.field
    ours, theirs = found.depth_mean(0, SLICES - 1)[rows, columns], truth[rows, columns]
    return float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_small_object_is_found_to_the_noise() -> None:
    patterns, truth = _simulated()
    told: list[Progress] = []
    found = reconstruct(patterns, replace(SHORT, stages=(Stage(30, batch=7, patience=6),)), progress=told.append)
    # the object has about a quarter as many free pixels as there are counts here
    assert 0.65 < found.chi_square_per_pixel < 1.1
    assert _agreement(found, truth) > 0.97
    assert told[-1].record.withheld_deviance_per_pixel < 0.5 * told[0].record.withheld_deviance_per_pixel
    assert told[0].seconds_left > 0
    assert told[0].picture().shape == truth.shape
    assert found.mode_fractions.sum() == pytest.approx(1.0)
    assert found.mode_fractions[0] > found.mode_fractions[1] > 0
    assert found.slices_check.ok
    assert "enough" in found.notes[-1]


@pytest.mark.parametrize("stage", [
    Stage(12, method="lsqml", batch=7, patience=0),
    Stage(12, noise="poisson", batch=7, patience=0),
    Stage(12, noise="amplitude", batch=7, patience=0, positivity=False, depth_filter=0.1, depth_weight=0.0),
], ids=["lsqml", "poisson", "amplitude with fold_slice's filter"])  # fmt: skip
def test_the_other_methods_find_it_too(stage: Stage) -> None:
    patterns, truth = _simulated()
    found = reconstruct(patterns, replace(SHORT, stages=(stage,)))
    assert found.history[-1].chi_square_per_pixel < 2.0
    assert _agreement(found, truth) > 0.9


def test_the_same_seed_gives_the_same_bits_and_workers_agree() -> None:
    patterns, _ = _simulated()
    short = replace(SHORT, stages=(replace(SHORT.stages[0], iterations=3),))
    first, second = reconstruct(patterns, short), reconstruct(patterns, short)
    assert np.array_equal(first.potential_rad, second.potential_rad)
    assert np.array_equal(first.probe, second.probe)
    two = reconstruct(patterns, short, workers=2)
    assert np.array_equal(two.potential_rad, reconstruct(patterns, short, workers=2).potential_rad)
    assert np.abs(two.potential_rad - first.potential_rad).max() < 1e-3
    other = reconstruct(patterns, replace(short, seed=5))
    assert not np.array_equal(other.potential_rad, first.potential_rad)


JOB = """
import sys
import numpy as np, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_ptychography_solver as here
torch.set_num_threads(1)
patterns, _ = here._simulated()
def told(progress):
    print(progress.record.iteration, flush=True)
here.reconstruct(patterns, here.RESUMED, checkpoint=Path({checkpoint!r}), progress=told)
"""
RESUMED = replace(
    SHORT,
    checkpoint_every=2,
    stages=(Stage(5, modes=1, batch=7, patience=0), Stage(4, batch=7, patience=0, padding=2, positions_from=0)),
)


def test_killed_and_resumed_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    patterns, _ = _simulated()
    whole = reconstruct(patterns, RESUMED)
    checkpoint = tmp_path / "state.npz"
    code = textwrap.dedent(JOB).format(tests=str(Path(__file__).parent), checkpoint=str(checkpoint))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        for _ in range(8):  # stage 0 whole, two iterations of stage 1 kept, one lost
            assert job.stdout.readline().strip()
        os.kill(job.pid, signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL
    told: list[Progress] = []
    resumed = reconstruct(patterns, RESUMED, checkpoint=checkpoint, progress=told.append)
    assert 1 <= len(told) < 9
    assert told[-1].done == 9
    for name in ("potential_rad", "probe", "positions_angstrom"):
        assert np.array_equal(getattr(whole, name), getattr(resumed, name)), name
    assert repr(whole.history) == repr(resumed.history)
    again = reconstruct(patterns, RESUMED, checkpoint=checkpoint)
    assert np.array_equal(again.potential_rad, whole.potential_rad)


RANK = """
import sys
import numpy as np, torch
sys.path.insert(0, {tests!r})
import test_ptychography_solver as here
torch.set_num_threads(1)
rank = int(sys.argv[1])
torch.distributed.init_process_group("gloo", init_method="file://{folder}/meet", rank=rank, world_size=2)
found = here.reconstruct(here._simulated()[0], here.TWO_STEPS)
np.save("{folder}/" + sys.argv[1] + ".npy", found.potential_rad)
torch.distributed.destroy_process_group()
"""
TWO_STEPS = replace(SHORT, stages=(Stage(2, batch=7, patience=0),))


@pytest.mark.slow
def test_two_processes_that_split_the_positions_hold_the_same_object(tmp_path: Path) -> None:
    code = RANK.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(rank)]) for rank in range(2)]
    assert [job.wait(timeout=300) for job in jobs] == [0, 0]
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in range(2))
    assert np.array_equal(first, second)
    alone = reconstruct(_simulated()[0], TWO_STEPS).potential_rad
    assert np.abs(first - alone).max() < 1e-3


def test_a_checkpoint_of_another_job_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    patterns, _ = _simulated()
    checkpoint = tmp_path / "state.npz"
    short = replace(SHORT, stages=(replace(SHORT.stages[0], iterations=1),))
    reconstruct(patterns, short, checkpoint=checkpoint)
    with pytest.raises(WrongContent, match="another recipe"):
        reconstruct(patterns, replace(short, seed=9), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UnreadableFile, match="damaged checkpoint"):
        reconstruct(patterns, short, checkpoint=checkpoint)


def test_wrong_positions_are_found_back() -> None:
    patterns, _ = _simulated(noise=False)
    wrong = patterns.positions_angstrom + np.random.default_rng(0).normal(0.0, 0.1, patterns.positions_angstrom.shape)
    stage = Stage(30, batch=7, patience=0, positions_from=6)
    recipe = replace(SHORT, stages=(stage,), withheld_fraction=0.0)
    found = reconstruct(replace(patterns, positions_angstrom=wrong), recipe)

    def rms(positions: np.ndarray) -> float:
        error = positions - patterns.positions_angstrom
        return float(np.sqrt(np.mean((error - error.mean(0)) ** 2)))

    assert rms(found.positions_angstrom) < 0.5 * rms(wrong)


def test_more_iterations_do_no_harm_where_patterns_are_withheld() -> None:
    patterns, _ = _simulated()
    hasty = Stage(60, batch=7, object_step=0.8, depth_weight=0.0, patience=3)
    found = reconstruct(patterns, replace(SHORT, withheld_fraction=0.1, stages=(hasty,)))
    withheld = [record.withheld_deviance_per_pixel for record in found.history]
    assert found.best_iterations[0] == int(np.argmin(withheld)) == len(withheld) - 4
    assert "withheld" in found.stopped_because[0]


def test_bad_frames_and_pixels_are_left_out_and_too_many_refused() -> None:
    patterns, _ = _simulated()
    counts = patterns.counts.copy()
    counts[3] = 0.0
    counts[5, 2, 2] = np.nan
    counts[7] = np.nan
    counts[9, 20, 11] = 1e6
    whole, notes = checked(replace(patterns, counts=counts), saturation_counts=1e5)
    assert whole.good_frames is not None
    assert whole.good_pixels is not None
    assert np.flatnonzero(~whole.good_frames).tolist() == [3, 7]
    assert sorted(map(tuple, np.argwhere(~whole.good_pixels).tolist())) == [(2, 2), (20, 11)]
    assert len(notes) == 2
    short = replace(SHORT, stages=(replace(SHORT.stages[0], iterations=2),))
    assert np.isfinite(reconstruct(replace(patterns, counts=counts), short).potential_rad).all()


@pytest.mark.parametrize(("change", "words"), [
    ({"counts": np.zeros((49, 32, 32), dtype=np.float32)}, "49 of 49 frames"),
    ({"positions_angstrom": np.zeros((48, 2))}, "scan shape"),
    ({"counts_per_electron": 0.0}, "gain"),
    ({"counts": np.full((49, 32, 32), np.nan, dtype=np.float32)}, "frames"),
])  # fmt: skip
def test_data_that_cannot_be_used_end_in_a_sentence(change: dict[str, Any], words: str) -> None:
    patterns, _ = _simulated()
    with pytest.raises(WrongContent, match=words):
        reconstruct(replace(patterns, **change), SHORT)


@pytest.mark.parametrize("wrong", [
    {"modes": 0}, {"withheld_fraction": 0.7}, {"stages": ()}, {"stages": (Stage(0),)},
    {"stages": (Stage(1, padding=2), Stage(1))}, {"stages": (Stage(1, modes=9),)},
])  # fmt: skip
def test_recipes_that_cannot_run_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        replace(SHORT, **wrong)


def test_the_named_recipes() -> None:
    assert set(RECIPES) == {"fast", "paper"}
    assert (PAPER.modes, PAPER.slices, PAPER.slice_angstrom, len(PAPER.stages)) == (16, 20, 10.0, 2)
    assert [(s.iterations, s.padding, s.depth_filter) for s in PAPER.stages] == [(300, 1, 0.1), (300, 2, 0.1)]
    assert FAST.for_thickness(122.0).slices == 24
    assert FAST.for_thickness(122.0).thickness_angstrom == pytest.approx(122.0)


def test_memory_is_foreseen_and_the_batch_shrinks() -> None:
    cpu = torch.device("cpu")
    shape, size = (128, 128), (200, 200)
    assert plan(shape, size, 20, 2, 20, cpu).micro_batch == 1
    assert plan((32, 32), (60, 60), 4, 1, 16, cpu).micro_batch == 16
    tight = int(needed_bytes((32, 32), (60, 60), 4, 1, 4) / 0.8) + 1
    assert plan((32, 32), (60, 60), 4, 1, 16, cpu, free=tight).micro_batch == 4
    with pytest.raises(WrongContent, match="MiB"):
        plan(shape, size, 20, 16, 20, cpu, free=2**20)
    with pytest.raises(RutileError):
        plan((256, 256), (900, 400), 20, 16, 20, cpu, free=2**27)


def test_slices_couple_fully_at_coarse_detail_and_not_at_fine() -> None:
    coarse = depth_coupling(0.01, 5, 5.0, 0.025, 26.0)
    assert coarse == pytest.approx(np.ones((5, 5)), abs=1e-2)
    fine = depth_coupling(1.5, 5, 20.0, 0.025, 26.0)
    assert np.abs(fine - np.eye(5)).max() < 0.2


def test_the_preconditioner_solves_its_equation() -> None:
    weight, damping, k0 = 0.7, 0.4, 1.0
    precondition = DepthPreconditioner(
        (4, 24, 20), (0.25, 0.25), 5.0, 0.025, 26.0, damping, weight, k0, dtype=torch.float64
    )
    flat = torch.ones(4, 24, 20, dtype=torch.float64)
    assert precondition(flat) == pytest.approx((flat / (4.0 + damping)).numpy())
    alternating = flat * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None]
    expected = np.linalg.solve(np.ones((4, 4)) + damping * np.eye(4) + weight * second_difference(4), [1, -1, 1, -1])
    assert precondition(alternating)[:, 3, 5].numpy() == pytest.approx(expected)
    assert precondition.pull(alternating)[:, 0, 0].numpy() == pytest.approx(
        weight * second_difference(4) @ [1, -1, 1, -1]
    )
    assert precondition.pull(flat).abs().max() < 1e-12


def test_the_arctan_filter_keeps_what_does_not_vary_in_depth() -> None:
    columns = torch.from_numpy(np.repeat(_columns((40, 40), 0.25)[None], 6, 0))
    assert torch.allclose(arctan_filter(columns, (0.25, 0.25), 10.0, 1.0), columns, atol=1e-9)
    striped = columns * torch.tensor([1.0, -1.0] * 3)[:, None, None]
    assert arctan_filter(striped, (0.25, 0.25), 10.0, 100.0).abs().max() < 0.5 * striped.abs().max()


def test_finer_sampling_passes_through_the_same_points() -> None:
    image = torch.from_numpy(_columns((40, 44), 0.25)[None])
    assert torch.allclose(finer(image, 2)[:, ::2, ::2], image, atol=1e-9)


def test_thick_slices_and_rings_are_told() -> None:
    truth = _columns((60, 60), 0.25)
    everywhere = (slice(4, 56), slice(4, 56))
    thin = check_slices(np.repeat(truth[None], 4, 0), 0.25, everywhere)
    assert thin.ok
    assert thin.phase_rad == pytest.approx(0.5, rel=0.1)
    thick = check_slices(np.repeat(truth[None] * 5.6, 10, 0), 0.25, everywhere)
    assert not thick.ok
    assert thick.suggested_slices == pytest.approx(10 * 2.8 / (np.pi / 2), abs=1.5)
    y, x = (np.indices((60, 60)) - 30) * 0.25
    rings = np.repeat(truth[None], 4, 0)
    rings[2] = truth - 0.6 * np.exp(-(y**2 + (x - 2.1) ** 2) / (2 * 0.2**2))
    told = check_slices(rings, 0.25, everywhere)
    assert told.ring_fraction > 0.0
    assert told.columns == thin.columns


def test_rings_are_healed_from_the_slices_where_the_column_is_a_peak() -> None:
    truth = np.repeat(_columns((60, 60), 0.25)[None], 6, 0)
    y, x = (np.indices((60, 60)) - 30) * 0.25
    sick = truth.copy()
    hole = np.exp(-(y**2 + (x - 2.1) ** 2) / (2 * 0.25**2))
    sick[:4] -= 0.5 * hole
    everywhere = (slice(4, 56), slice(4, 56))
    healed, count = heal_rings(sick, 0.25, everywhere)
    assert count == 4
    assert np.abs(healed - truth)[:, hole > 0.1].max() < 1e-9
    assert heal_rings(truth, 0.25, everywhere)[1] == 0


def test_halves_of_the_data_agree_up_to_a_resolution_and_noise_does_not() -> None:
    patterns, truth = _simulated()
    first, second = half_data(patterns, fixed_length(SHORT, reconstruct(patterns, SHORT)), SCAN)
    assert first.potential_rad.shape == second.potential_rad.shape
    rows, columns = first.field
    images = [half.depth_mean(0, SLICES - 1)[rows, columns] for half in (first, second)]
    curve = ring_correlation(images[0], images[1], (0.25, 0.25))
    assert curve.correlation[:4].min() > 0.8
    assert not curve.resolution_angstrom > 1.5
    rng = np.random.default_rng(1)
    noise = ring_correlation(rng.normal(size=(64, 64)), rng.normal(size=(64, 64)), (0.25, 0.25))
    assert np.abs(noise.correlation[5:]).max() < 0.5
    same = ring_correlation(truth, truth, (0.25, 0.25))
    assert same.correlation == pytest.approx(np.ones(len(same.correlation)))
    assert np.isnan(same.resolution_angstrom)
    stack = np.repeat(truth[None], 4, 0)
    assert ring_correlation(stack, stack, (10.0, 0.25, 0.25)).correlation == pytest.approx(1.0)


def test_the_bootstraps_spread_is_that_of_new_noise_within_its_range() -> None:
    patterns, _ = _simulated()
    recipe = replace(SHORT, withheld_fraction=0.0, stages=(replace(SHORT.stages[0], iterations=8),))
    spread = bootstrap(patterns, recipe, samples=3)
    assert spread.std_rad.shape == spread.mean_rad.shape
    assert np.isfinite(spread.std_rad).all()
    rows, columns = reconstruct(patterns, replace(recipe, stages=(replace(SHORT.stages[0], iterations=1),))).field
    inside = spread.std_rad[:, rows, columns]
    assert 0.0 < float(np.median(inside)) < 0.2
