"""PtyRAD: a positive phase object, positions as given, as in ours; `--free` lets amplitude and positions move too."""

from __future__ import annotations

import sys

import numpy as np
import torch
from job import Clock, job_from_arguments, stand_in_for_torchvision

stand_in_for_torchvision()

from ptyrad.params.ptyrad_params import PtyRADParams  # noqa: E402
from ptyrad.solver import reconstruction  # noqa: E402
from ptyrad.solver.ptyrad_solver import PtyRADSolver  # noqa: E402

DEFAULT_RATE = 5e-4
OBJECT_RATE, PROBE_RATE = 5e-3, 5e-4  # at its default of 5e-4 no pixel of the object moves 0.02 rad in 30 updates


def main() -> None:
    free = "--free" in sys.argv
    if free:
        sys.argv.remove("--free")
    job = job_from_arguments()
    other = {"start_iter": 1, "lr": DEFAULT_RATE} if free else {"start_iter": None, "lr": 0.0}
    settings = PtyRADParams(
        init_params={
            "probe_kv": job.kilovolt, "probe_conv_angle": job.aperture_mrad,
            "probe_aberrations": {"C10": job.overfocus_angstrom}, "meas_Npix": 128,
            "pos_N_scan_slow": job.side, "pos_N_scan_fast": job.side, "pos_N_scans": job.side**2,
            "pos_scan_step_size": job.step_angstrom, "pos_scan_rand_std": None,
            "meas_calibration": {"mode": "da", "value": job.pixel_mrad},
            "probe_pmode_max": job.modes, "obj_Nlayer": job.slices, "obj_slice_thickness": job.slice_angstrom,
            "meas_params": {"path": __file__},  # stands in until the patterns themselves are handed over
        },
        model_params={"update_params": {
            "obja": other, "probe_pos_shifts": other,
            "objp": {"start_iter": 1, "lr": OBJECT_RATE}, "probe": {"start_iter": 1, "lr": PROBE_RATE},
        }},
        constraint_params={"objp_postiv": {"start_iter": 1, "step": 1, "end_iter": None, "relax": 0}},
        recon_params={
            "NITER": job.iterations, "BATCH_SIZE": {"size": job.batch}, "SAVE_ITERS": None, "copy_params": False,
        },
    ).model_dump()  # fmt: skip
    unit = float(np.mean(job.electrons, axis=0, dtype=np.float32).max())  # its unit of intensity
    settings["init_params"].update(meas_source="custom", meas_params=job.electrons.copy())
    solver = PtyRADSolver(settings, device="cpu", seed=0)
    loss = solver.loss_fn
    clock = Clock(job)

    class Told(torch.nn.Module):
        loss_params = loss.loss_params

        def forward(self, model: torch.Tensor, measured: torch.Tensor, *others: torch.Tensor) -> object:
            clock.add_error(model.detach() * unit, measured * unit)
            return loss(model, measured, *others)

    solver.loss_fn = Told()
    logger = reconstruction.loss_logger

    def logged(*arguments: object) -> object:
        clock.tick()
        return logger(*arguments)

    reconstruction.loss_logger = logged
    solver.run()
    clock.tell("PtyRAD 1.0.0, amplitude and positions too" if free else "PtyRAD 1.0.0")


if __name__ == "__main__":
    main()
