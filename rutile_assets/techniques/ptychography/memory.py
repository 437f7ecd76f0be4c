"""How much memory a reconstruction takes, foreseen, and the micro-batch that fits."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from rutile_assets.errors import WrongContent

COMPLEX_BYTES, REAL_BYTES = 8, 4
OBJECT_ARRAYS_BYTES = 140  # a voxel: potential, step, best, gradient, transmission, and the update's own
WAVES_BESIDES_SLICES = 8
CACHE_PIXELS = 1 << 15  # complex pixels of one wave set that a core's cache holds
SHARE = 0.8


@dataclass(frozen=True)
class MemoryPlan:
    """What will be taken and how many positions go through the model at once.

    Parameters
    ----------
    micro_batch : int
        Positions at once.
    needed_bytes, free_bytes : int
        Foreseen peak and what the device has free.
    """

    micro_batch: int
    needed_bytes: int
    free_bytes: int

    def sentence(self) -> str:
        """Return what is printed before the run."""
        return (
            f"Foreseen memory {self.needed_bytes / 2**20:.0f} MiB of {self.free_bytes / 2**20:.0f} MiB free, "
            f"{self.micro_batch} position(s) at once."
        )


def free_bytes(device: torch.device) -> int:
    """Return the memory that a new array may take on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def needed_bytes(
    grid_shape: tuple[int, int], object_shape: tuple[int, int], slices: int, modes: int, micro_batch: int
) -> int:
    """Return the foreseen peak of one process beyond its libraries."""
    pixels = grid_shape[0] * grid_shape[1]
    waves = (
        micro_batch
        * pixels
        * COMPLEX_BYTES
        * (modes * (slices + WAVES_BESIDES_SLICES) + 2 * slices * (micro_batch > 1))
    )
    voxels = slices * object_shape[0] * object_shape[1]
    return int(waves + voxels * OBJECT_ARRAYS_BYTES + 6 * modes * pixels * COMPLEX_BYTES + slices * pixels * REAL_BYTES)


def plan(
    grid_shape: tuple[int, int],
    object_shape: tuple[int, int],
    slices: int,
    modes: int,
    batch: int,
    device: torch.device,
    free: int | None = None,
) -> MemoryPlan:
    """Choose how many positions go through the model at once.

    Parameters
    ----------
    grid_shape, object_shape : tuple of int
        (Y, X) and (H, W).
    slices, modes, batch : int
        S, M, and the positions between two updates.
    device : torch.device
        On a CPU the waves of one slice are kept within a core's cache; on a GPU its memory is filled.
    free : int, optional
        Bytes free, where they are known better than by asking the device.

    Raises
    ------
    WrongContent
        Not even one position fits.
    """
    room = free_bytes(device) if free is None else free
    at_once = batch
    if device.type == "cpu":
        at_once = max(1, min(batch, CACHE_PIXELS // (modes * grid_shape[0] * grid_shape[1])))
    while at_once > 1 and needed_bytes(grid_shape, object_shape, slices, modes, at_once) > SHARE * room:
        at_once = (at_once + 1) // 2
    needed = needed_bytes(grid_shape, object_shape, slices, modes, at_once)
    if needed > SHARE * room:
        raise WrongContent(
            f"{needed / 2**20:.0f} MiB needed, {room / 2**20:.0f} MiB free",
            f"at most {SHARE:.0%} of what is free",
            "Take fewer modes or slices, no padding, or a part of the scan.",
        )
    return MemoryPlan(at_once, needed, room)
