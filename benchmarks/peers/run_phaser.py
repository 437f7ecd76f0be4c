"""phaserEM's LSQML on torch, its own defaults but for the band limit, which would cut at 33 mrad, and kept positive."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from job import Clock, Job, job_from_arguments
from phaser.engines.common.noise_models import AmplitudeNoiseModel
from phaser.execute import execute_plan
from phaser.observer import Observer
from phaser.plan import ReconsPlan


def plan_of(job: Job, patterns: Path) -> ReconsPlan:
    return ReconsPlan.from_data({
        "name": "timed", "backend": "torch", "device": "cpu",
        "raw_data": {
            "type": "manual", "path": str(patterns), "diff_step": job.pixel_mrad, "kv": job.kilovolt, "adu": 1.0,
        },
        "init": {
            "probe": {"type": "focused", "conv_angle": job.aperture_mrad, "defocus": job.overfocus_angstrom},
            "scan": {"type": "raster", "shape": [job.side, job.side], "step_size": job.step_angstrom},
        },
        "slices": {"n": job.slices, "total_thickness": job.slices * job.slice_angstrom},
        "engines": [{
            "type": "conventional", "probe_modes": job.modes, "base_mode_power": 0.98, "bwlim_frac": None,
            "niter": job.iterations, "grouping": job.batch, "noise_model": {"type": "amplitude"},
            "solver": {"type": "lsqml"}, "group_constraints": [], "calc_error": False,
            "iter_constraints": [{"type": "clamp_object_amplitude", "amplitude": 1.0}, {"type": "nonneg_object_phase"}],
        }],
    })  # fmt: skip


def main() -> None:
    job = job_from_arguments()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "patterns.npy"
        np.save(path, job.electrons.reshape(job.side, job.side, *job.electrons.shape[1:]))
        plan = plan_of(job, path)
        clock = Clock(job)

        class Told(Observer):
            def start_engine(self, *_: object) -> None:
                clock.start = time.process_time()

            def update_iteration(self, *_: object) -> None:
                clock.tick()

        wave_update = AmplitudeNoiseModel.calc_wave_update

        def told(
            self: Any, wave: torch.Tensor, model: torch.Tensor, measured: torch.Tensor, *rest: Any, **more: Any
        ) -> Any:
            clock.add_error(model.detach(), measured)
            return wave_update(self, wave, model, measured, *rest, **more)

        AmplitudeNoiseModel.calc_wave_update = told
        execute_plan(plan, override_observers=Told())
    clock.tell("phaserEM 0.3.1")


if __name__ == "__main__":
    main()
