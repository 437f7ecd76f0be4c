"""Our engine, no pattern withheld: all modes at once, or, with RECIPE=fast in the environment, the fast recipe."""

from __future__ import annotations

import os
from dataclasses import replace

from job import Clock, Job, job_from_arguments

from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.optics import Optics
from rutile_assets.techniques.ptychography.recipes import FAST, Recipe, Stage
from rutile_assets.techniques.ptychography.solver import Progress, reconstruct


def stages_of(job: Job) -> tuple[Stage, ...]:
    """Return the stages that are run: those of the fast recipe whose error is the Anscombe deviance, or one."""
    if os.environ.get("RECIPE") != "fast":
        return (Stage(job.iterations, batch=job.batch, patience=0),)
    stages, left = [], job.iterations
    for stage in FAST.stages:
        if stage.noise == "anscombe" and left > 0:
            modes = min(stage.modes or job.modes, job.modes)
            stages.append(replace(stage, iterations=min(stage.iterations, left), modes=modes, patience=0))
            left -= stages[-1].iterations
    return tuple(stages)


def main() -> None:
    job = job_from_arguments()
    recipe = Recipe("timed", job.modes, job.slices, job.slice_angstrom, stages_of(job), withheld_fraction=0.0)
    optics = Optics(job.kilovolt, job.aperture_mrad, job.pixel_mrad, 0.1 * job.overfocus_angstrom)
    clock = Clock(job)

    def told(progress: Progress) -> None:
        clock.tick(progress.record.deviance_per_pixel)

    reconstruct(Patterns(job.electrons, job.positions_angstrom, optics), recipe, progress=told)
    clock.tell("ours")


if __name__ == "__main__":
    main()
