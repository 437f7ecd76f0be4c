"""All that a reconstruction carries from one iteration to the next, and its checkpoint on disk."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rutile_assets.errors import UnreadableFile, WrongContent
from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.ranks import ranks
from rutile_assets.techniques.ptychography.recipes import Recipe

TENSORS = (
    "potential",
    "velocity",
    "probe",
    "probe_velocity",
    "offsets",
    "best_potential",
    "best_probe",
    "best_offsets",
)
CHECKPOINT_VERSION = 1


@dataclass
class Record:
    """One iteration as it is reported.

    Parameters
    ----------
    stage, iteration : int
        Both from 0; the iteration counts within its stage.
    deviance_per_pixel : float
        Twice the loss over the pixels that are fitted, as they were met (before their update).
    chi_square_per_pixel : float
        Pearson's, of the same pixels.
    withheld_deviance_per_pixel, withheld_chi_square_per_pixel : float
        Of the withheld patterns after the iteration; NaN where none is withheld.
    mode_fractions : list of float
        Powers of the orthogonal probe modes.
    tilt_mrad : list of float
        Mistilt (y, x).
    shift_rms_angstrom : float
        How far refined positions are from the nominal ones.
    """

    stage: int
    iteration: int
    deviance_per_pixel: float
    chi_square_per_pixel: float
    withheld_deviance_per_pixel: float
    withheld_chi_square_per_pixel: float
    mode_fractions: list[float]
    tilt_mrad: list[float]
    shift_rms_angstrom: float


@dataclass
class State:
    """A reconstruction under way.

    Parameters
    ----------
    potential, velocity : torch.Tensor
        (S, H, W) projected potential of each slice [rad] and its last step.
    probe, probe_velocity : torch.Tensor
        (M, Y, X) Fourier space.
    offsets : torch.Tensor
        (N, 2) refined minus nominal positions [angstrom].
    best_potential, best_probe, best_offsets : torch.Tensor
        Those of the iteration with the least withheld error.
    stage, iteration : int
        What runs next.
    tilt_mrad, best_tilt_mrad : list of float
        Mistilt (y, x) [mrad].
    best_error : float
        Withheld deviance per pixel of the best iteration of this stage.
    best_at : int
        That iteration; -1 before the first.
    stopped : list of str
        Why each finished stage ended.
    best_each : list of int
        The iteration that each finished stage kept.
    history : list of Record
        All iterations.
    """

    potential: torch.Tensor
    velocity: torch.Tensor
    probe: torch.Tensor
    probe_velocity: torch.Tensor
    offsets: torch.Tensor
    best_potential: torch.Tensor
    best_probe: torch.Tensor
    best_offsets: torch.Tensor
    stage: int = 0
    iteration: int = 0
    tilt_mrad: list[float] = field(default_factory=lambda: [0.0, 0.0])
    best_tilt_mrad: list[float] = field(default_factory=lambda: [0.0, 0.0])
    best_error: float = float("inf")
    best_at: int = -1
    stopped: list[str] = field(default_factory=list)
    best_each: list[int] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)

    def keep_best(self, error: float) -> None:
        """Remember this iteration as the best so far."""
        self.best_error, self.best_at = error, self.iteration
        self.best_tilt_mrad = list(self.tilt_mrad)
        for name in ("potential", "probe", "offsets"):
            setattr(self, f"best_{name}", getattr(self, name).clone())

    def back_to_best(self) -> None:
        """Go on from the best iteration, at rest."""
        self.tilt_mrad = list(self.best_tilt_mrad)
        for name in ("potential", "probe", "offsets"):
            setattr(self, name, getattr(self, f"best_{name}").clone())
        self.velocity.zero_()
        self.probe_velocity.zero_()


def fingerprint(patterns: Patterns, recipe: Recipe) -> str:
    """Return what tells one job from another: recipe, optics, positions, and some of the counts."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    digest.update(json.dumps(asdict(patterns.optics), sort_keys=True).encode())
    digest.update(np.ascontiguousarray(patterns.positions_angstrom, dtype=float).tobytes())
    frames = len(patterns.positions_angstrom)
    some = np.unique(np.linspace(0, frames - 1, 8).astype(int))
    digest.update(np.ascontiguousarray(patterns.electrons(some)).tobytes())
    return digest.hexdigest()


def save(state: State, path: Path, job: str) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old or the new one, whole; rank 0 alone writes."""
    if ranks()[0] > 0:
        return
    scalars: dict[str, Any] = {
        "version": CHECKPOINT_VERSION, "job": job, "stage": state.stage, "iteration": state.iteration,
        "tilt_mrad": state.tilt_mrad, "best_tilt_mrad": state.best_tilt_mrad, "best_error": repr(state.best_error),
        "best_at": state.best_at, "stopped": state.stopped,
        "best_each": state.best_each, "history": [asdict(record) for record in state.history],
    }  # fmt: skip
    arrays = {name: getattr(state, name).cpu().numpy() for name in TENSORS}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as handle:
        np.savez(handle, scalars=np.array(json.dumps(scalars)), **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def load(path: Path, job: str, device: torch.device) -> State:
    """Read a checkpoint.

    Raises
    ------
    UnreadableFile
        The bytes are not a whole checkpoint.
    WrongContent
        It belongs to another recipe or to other data.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            scalars = json.loads(str(archive["scalars"]))
            tensors = {name: torch.from_numpy(archive[name].copy()).to(device) for name in TENSORS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise UnreadableFile(
            f"a damaged checkpoint ({fault})", "one written by this program", "Delete it.", str(path)
        ) from fault
    if scalars.get("version") != CHECKPOINT_VERSION or scalars.get("job") != job:
        raise WrongContent(
            "a checkpoint of another recipe or of other data",
            "one of this job",
            "Delete it, or name another.",
            str(path),
        )
    history = [Record(**record) for record in scalars["history"]]
    best_error = float(scalars["best_error"])
    names = ("stage", "iteration", "tilt_mrad", "best_tilt_mrad", "best_at", "stopped", "best_each")
    rest: dict[str, Any] = {**tensors, **{name: scalars[name] for name in names}}
    return State(**rest, best_error=best_error, history=history)
