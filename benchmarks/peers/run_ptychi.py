"""pty-chi's LSQML with random batches, its own defaults otherwise."""

from __future__ import annotations

import numpy as np
import torch
from job import PATTERN, Clock, job_from_arguments, probe_modes, stand_in_for_torchvision

stand_in_for_torchvision()

from ptychi import api  # noqa: E402
from ptychi.api.task import PtychographyTask  # noqa: E402

METRES = 1e-10
MARGIN_PIXELS = 10


def main() -> None:
    job = job_from_arguments()
    options = api.LSQMLOptions()
    options.data_options.wavelength_m = job.wavelength_angstrom * METRES
    options.object_options.pixel_size_m = job.pixel_angstrom * METRES
    options.object_options.slice_spacings_m = np.full(job.slices - 1, job.slice_angstrom * METRES)
    options.object_options.optimizable = options.probe_options.optimizable = True
    options.probe_position_options.optimizable = False
    solver = options.reconstructor_options
    solver.default_device = api.Devices.CPU
    solver.batch_size, solver.num_epochs, solver.random_seed = job.batch, job.iterations, 0
    solver.rescale_probe_intensity_in_first_epoch = False  # its first epoch would update nothing
    positions = job.positions_angstrom / job.pixel_angstrom
    positions -= positions.mean(0)
    side = int(np.ceil(np.ptp(positions))) + PATTERN + MARGIN_PIXELS
    # its far field is an FFT without a scale, so that an intensity is the number of pixels times the electrons
    waves = torch.from_numpy(probe_modes(job))[None] / PATTERN
    task = PtychographyTask(
        options,
        diffraction_data=torch.from_numpy(job.electrons),
        object_data=torch.ones((job.slices, side, side), dtype=torch.complex64),
        probe_data=waves,
        probe_position_y_px=torch.from_numpy(positions[:, 0].astype(np.float32)),
        probe_position_x_px=torch.from_numpy(positions[:, 1].astype(np.float32)),
    )
    tracker = task.reconstructor.loss_tracker
    update = tracker.update_batch_loss_with_metric_function
    clock = Clock(job)

    def told(model: torch.Tensor, measured: torch.Tensor) -> None:
        clock.add_error(model.detach(), measured)
        update(model, measured)

    tracker.update_batch_loss_with_metric_function = told
    for _ in range(job.iterations):
        task.run(1)
        clock.tick()
    clock.tell("pty-chi 2.2.0")


if __name__ == "__main__":
    main()
