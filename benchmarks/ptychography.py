"""Ptychography: CPU seconds per iteration over the FFT floor, and how they grow with the size of the job.

The floor is ``N M (2 S - 1) 2`` two-dimensional FFTs, each as fast as this machine does a batch of M of them, measured
in the same run. `python -m benchmarks.ptychography PATH` adds the time to given errors on an EMPAD file with its .json
(../shared/sim4dstem/lower.raw).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.optics import Optics
from rutile_assets.techniques.ptychography.recipes import FAST, Recipe, Stage
from rutile_assets.techniques.ptychography.solver import Progress, reconstruct

OPTICS = Optics(200.0, 26.0, 0.78, 10.0)
# positions along one side, modes, slices, pixels
BASE = (8, 2, 10, 128)
CASES = [BASE, (12, 2, 10, 128), (8, 4, 10, 128), (8, 2, 20, 128), (8, 2, 10, 64), (5, 2, 10, 256)]


def fft_seconds(modes: int, pixels: int, times: int = 60) -> float:
    """Return the CPU seconds of one 2-D FFT within a batch of `modes`: the median."""
    wave = torch.randn(modes, pixels, pixels, dtype=torch.complex64)
    return _median(lambda: torch.fft.fft2(wave), times) / modes


def _median(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return float(np.median(spent))


def iteration_seconds(side: int, modes: int, slices: int, pixels: int, iterations: int = 3) -> float:
    """Return the CPU seconds of an iteration, everything included but the first one's start-up: the median."""
    optics = replace(OPTICS, detector_pixel_mrad=0.78 * 128 / pixels)
    positions = np.argwhere(np.ones((side, side))) * 0.886
    counts = np.random.default_rng(0).poisson(4.0, (len(positions), pixels, pixels)).astype(np.float32)
    stage = Stage(iterations + 1, batch=20, patience=0)
    recipe = Recipe("timed", modes, slices, 5.0, (stage,), withheld_fraction=0.0)
    clock: list[float] = []
    reconstruct(
        Patterns(counts, positions, optics), recipe, progress=lambda _progress: clock.append(time.process_time())
    )
    return float(np.median(np.diff(clock)))


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    torch.set_num_threads(1)
    for side, modes, slices, pixels in CASES:
        floor = side**2 * modes * (2 * slices - 1) * 2 * fft_seconds(modes, pixels)
        spent = iteration_seconds(side, modes, slices, pixels)
        yield (
            f"{side**2} positions, {modes} modes, {slices} slices, {pixels} x {pixels}: {spent:.2f} CPU s "
            f"an iteration, floor {floor:.2f} s: {spent / floor:.2f} times"
        )


def run_file(path: Path, recipe: Recipe = FAST) -> Iterator[str]:
    """Yield the CPU time to given errors on a simulated EMPAD file."""
    torch.set_num_threads(1)
    told = json.loads(path.with_suffix(".json").read_text())
    counts = np.memmap(path, "<f4", mode="r").reshape(-1, 130, 128)[:, :128]
    positions = np.argwhere(np.ones((told["ny"], told["nx"]))) * told["step"]
    start = time.process_time()
    reached: list[tuple[int, float, float]] = []

    def note(progress: Progress) -> None:
        record = progress.record
        reached.append((progress.done, record.chi_square_per_pixel, time.process_time() - start))

    reconstruct(Patterns(counts, positions, OPTICS, told["adu"]), recipe, progress=note)
    for goal in (2.0, 1.5, 1.3, 1.15):
        hit = next((entry for entry in reached if entry[1] <= goal), None)
        yield f"chi-square per pixel {goal}: " + (f"iteration {hit[0]}, {hit[2]:.0f} CPU s" if hit else "not reached")
    _, last, spent = reached[-1]
    yield f"{len(reached)} iterations in {spent:.0f} CPU s, chi-square per pixel {last:.3f} at the end"


if __name__ == "__main__":
    for line in run():
        print(line, flush=True)
    for name in sys.argv[1:]:
        for line in run_file(Path(name)):
            print(line, flush=True)
