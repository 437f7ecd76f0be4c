"""Ptychography beside PtyRAD, pty-chi and phaser: CPU seconds over the FFT floor, memory, time to an error, scaling.

`python -m benchmarks.ptychography_peers ../shared/sim4dstem/lower.raw` installs the peers into .bench-venv, runs every
engine on the same patterns in a process of its own with one thread, and prints tables; `--only ours ptyrad` runs some.
The floor is ``N M (2 S - 1) 2`` FFTs of 128 x 128, timed in each process between the iterations.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = ("ptyrad==1.0.0", "ptychi==2.2.0", "phaserEM==0.3.1")
THEY_NEED = (
    "torch==2.13.0", "numpy<2.5", "scipy", "h5py", "matplotlib", "pydantic", "PyYAML", "scikit-learn", "scikit-image",
    "tifffile", "zarr", "accelerate", "optuna", "pandas", "tqdm", "click~=8.1.0", "rich<15", "frozendict~=2.4.7",
    "optree", "py-pane==0.11.7", "typing_extensions~=4.7", "platformdirs", "lxml", "jax<0.11", "optax",
)  # fmt: skip
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
# program, batch, what else it is told
ENGINES = {
    "ours": ("run_ours.py", 20, ()),
    "ptyrad": ("run_ptyrad.py", 8, ()),
    "ptyrad-free": ("run_ptyrad.py", 8, ("--free",)),
    "ptychi": ("run_ptychi.py", 16, ()),
    "phaser": ("run_phaser.py", 14, ()),
}
GOALS = (2.5, 2.0, 1.5, 1.0, 0.7, 0.5)
# positions along a side, modes, slices, pixels: each varied about the second
SCALING = {
    "positions": [(5, 2, 10, 128), (8, 2, 10, 128), (12, 2, 10, 128)],
    "modes": [(8, 1, 10, 128), (8, 2, 10, 128), (8, 4, 10, 128)],
    "slices": [(8, 2, 5, 128), (8, 2, 10, 128), (8, 2, 20, 128)],
    "pixels along a side": [(8, 2, 10, 64), (8, 2, 10, 128), (8, 2, 10, 256)],
}


def installed(folder: Path) -> Path:
    """Return the Python of an environment that has the peers; make it where there is none.

    torchvision is left out (beside the CPU build of torch it does not load; peers/job.py stands in for it), and so is
    what the peers want for notebooks.
    """
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if ready.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *THEY_NEED], check=True)
    subprocess.run([*pip, "--no-deps", *PEERS], check=True)
    for source in folder.glob("lib/python3*/site-packages/ptyrad/plotting/basic.py"):
        # quotes within quotes of an f-string: only Python 3.12 takes them
        source.write_text(source.read_text().replace("lr_iters['niter'][-1]}'", 'lr_iters["niter"][-1]}\''))
    ready.touch()
    return python


def measured(engine: str, raw: Path, peers_python: Path, recipe: str = "", **numbers: int) -> dict[str, Any] | None:
    """Run one engine and return what it tells; None where it failed, with its last words on the screen."""
    program, batch, more = ENGINES[engine]
    ours = engine == "ours"
    command = [str(sys.executable if ours else peers_python), str(HERE / "peers" / program), str(raw), *more]
    for name, value in {"batch": batch, **numbers}.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, **ONE_THREAD, "RECIPE": recipe}
    if ours:
        environment["PYTHONPATH"] = str(HERE.parent)
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(f"{engine} did not run: {ran.stderr[-400:]}", flush=True)
        return None
    told: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return told


def row(told: dict[str, Any]) -> str:
    """Return a line of the table of speed and memory: the best iteration after the first."""
    best, floor = min(told["seconds"][1:]), told["fft_s"] * told["ffts"]
    return (
        f"| {told['engine']} | {told['slices']} | {told['batch']} | {best:.2f} | {1e6 * told['fft_s']:.0f} | "
        f"{best / floor:.2f} | {told['peak_mib']:.0f} |"
    )


def reached(told: dict[str, Any], goal: float) -> str:
    """Return the CPU seconds until an iteration's mean deviance per pixel came to the goal."""
    spent = 0.0
    for number, (seconds, error) in enumerate(zip(told["seconds"], told["errors"], strict=True), 1):
        spent += seconds
        if error <= goal:
            return f"{spent:.0f} s ({number})"
    return f"not in {spent:.0f} s ({len(told['seconds'])})"


def scaling(picture: Path) -> Iterator[str]:
    """Yield how our iteration grows with each of its four sizes, and draw it."""
    import matplotlib  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from benchmarks.ptychography import fft_seconds, iteration_seconds  # noqa: PLC0415

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    torch.set_num_threads(1)
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True, layout="constrained")
    done: dict[tuple[int, int, int, int], tuple[float, float]] = {}
    for axis, (name, cases) in zip(axes, SCALING.items(), strict=True):
        for case in cases:
            if case not in done:
                side, modes, slices, pixels = case
                floor = side**2 * modes * (2 * slices - 1) * 2 * fft_seconds(modes, pixels)
                done[case] = iteration_seconds(*case, iterations=2), floor
                spent = done[case][0]
                yield f"| {side**2} | {modes} | {slices} | {pixels} | {spent:.3f} | {floor:.3f} | {spent / floor:.2f} |"
        at = [case[list(SCALING).index(name)] ** (2 if name == "positions" else 1) for case in cases]
        axis.loglog(at, [done[case][0] for case in cases], "o-", label="an iteration")
        axis.loglog(at, [done[case][1] for case in cases], "s--", color="0.5", label="FFT floor")
        axis.set_xlabel(name)
        axis.set_xticks(at, [str(v) for v in at])
        axis.minorticks_off()
    axes[0].set_ylabel("CPU s")
    axes[0].legend()
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("raw", type=Path)
    parser.add_argument("--venv", type=Path, default=Path(".bench-venv"))
    parser.add_argument("--only", nargs="+", choices=[*ENGINES, "error", "scaling"], default=None)
    parser.add_argument("--slices", nargs="+", type=int, default=[10, 20])
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--error-iterations", type=int, default=30, help="of PtyRAD, on 20 slices")
    asked = parser.parse_args()
    wanted = asked.only or [*ENGINES, "error", "scaling"]
    python = asked.venv.resolve() / "bin" / "python"
    if set(wanted) - {"ours", "scaling"}:
        python = installed(asked.venv.resolve())
    print(
        "| engine | slices | batch | CPU s an iteration | one FFT (us) | over the floor | peak MiB |\n"
        + "|---" * 7
        + "|"
    )
    for slices in asked.slices:
        for engine in (name for name in ENGINES if name in wanted):
            told = measured(engine, asked.raw, python, slices=slices, iterations=asked.iterations)
            print(row(told) if told else f"| {engine} | {slices} | did not run |", flush=True)
    if "error" in wanted:
        runs = {
            "ours, fast recipe": measured("ours", asked.raw, python, "fast", slices=20, iterations=22),
            "PtyRAD": measured("ptyrad", asked.raw, python, slices=20, iterations=asked.error_iterations),
        }
        print(
            "\n| deviance per pixel |"
            + "".join(f" {goal} |" for goal in GOALS)
            + "\n"
            + "|---" * (len(GOALS) + 1)
            + "|"
        )
        for name, told in runs.items():
            if told:
                print(f"| {name} |" + "".join(f" {reached(told, goal)} |" for goal in GOALS), flush=True)
    if "scaling" in wanted:
        print(
            "\n| positions | modes | slices | pixels | CPU s an iteration | floor (s) | over it |\n" + "|---" * 7 + "|"
        )
        for line in scaling(HERE / "ptychography_scaling.png"):
            print(line, flush=True)


if __name__ == "__main__":
    main()
