"""The run that an activity belongs to: checkout, environment, what started it."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from rutile_assets.lake.tables import Writer


def utc_now() -> datetime:
    """Return the time in UTC without a zone, as the lake's TIMESTAMP columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class RunContext:
    """One run; its row is written with its first activity.

    Parameters
    ----------
    trigger : str
        What started it: cli, schedule, sensor, ui.
    dagster_run_id : str or None
        Dagster's id.
    """

    trigger: str
    dagster_run_id: str | None = None
    started_at: datetime = field(default_factory=utc_now)
    _run_id: int | None = field(default=None, init=False)

    def run_id(self, writer: Writer) -> int:
        """Return the run's id, writing its row and its environment's on first use."""
        if self._run_id is not None:
            return self._run_id
        if self.dagster_run_id is not None:
            known = writer.frame("SELECT run_id FROM lake.run WHERE dagster_run_id = ?", [self.dagster_run_id])
            if len(known):
                return int(known.run_id.iloc[0])
        environment = environment_now()
        digest = hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:20]
        if not len(writer.frame("SELECT 1 FROM lake.environment WHERE environment_id = ?", [digest])):
            writer.append("environment", [{"environment_id": digest, **environment}])
        commit, dirty = _checkout()
        run_id = writer.next_id()
        row: dict[str, object] = {
            "run_id": run_id,
            "dagster_run_id": self.dagster_run_id,
            "git_commit": commit,
            "git_dirty": dirty,
            "environment_id": digest,
            "trigger": self.trigger,
            "started_at": self.started_at,
        }
        writer.append("run", [row])
        writer.on_commit(lambda: setattr(self, "_run_id", run_id))
        return run_id


@cache
def environment_now() -> dict[str, str | None]:
    """Return the machine and the package set of this process, as a row of ``environment`` without its id."""
    packages = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": json.dumps(dict(sorted(packages.items(), key=lambda item: str(item[0])))),
        "torch": packages.get("torch"),
        "device": "cuda" if shutil.which("nvidia-smi") else "cpu",
        "processor": _processor(),
    }


def _processor() -> str:
    """Return the processor's model and its widest vectors: libraries choose their arithmetic by them."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in told.read_text(encoding="utf-8", errors="replace").splitlines()]
    known = {name.strip(): value.strip() for name, _, value in reversed(lines)}
    flags = set((known.get("flags") or known.get("Features") or "").split())
    widest = next((flag for flag in ("avx512f", "avx2", "avx", "sve", "asimd") if flag in flags), "")
    return f"{known.get('model name') or platform.machine()} {widest}".strip()


@cache
def _checkout() -> tuple[str | None, bool | None]:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None, None

    def git(*words: str) -> str | None:
        answer = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    changes = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "HEAD"), None if changes is None else bool(changes)
