"""A copy of the package whose source a test edits on disk, run in fresh processes: the code itself really changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# loads what is not ours once and forks a process for each question, which imports the package as it then is
_SERVER = """
import importlib, json, os, sys, traceback
for name in ("duckdb", "pandas", "pandera.pandas", "pyarrow.parquet", "matplotlib.figure", "scipy.optimize",
             "scipy.signal", "scipy.stats", "scipy.ndimage", "jinja2", "yaml", "filelock", "zarr"):
    importlib.import_module(name)
for line in sys.stdin:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stdin = open(os.devnull)
        os.dup2(2, 1)
        given = json.loads(line)
        names = {"arguments": given["arguments"]}
        try:
            exec(compile(given["script"], "script", "exec"), names)
            said = {"answer": names["answer"]}
        except BaseException:
            said = {"fault": traceback.format_exc()}
        with os.fdopen(writable, "w") as sink:
            json.dump(said, sink)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as source:
        said = source.read()
    os.waitpid(child, 0)
    print(said or json.dumps({"fault": "the process died"}), flush=True)
"""


class EditedPackage:
    """rutile_assets copied to a folder, where `edit` changes it.

    Parameters
    ----------
    folder : Path
        The copy's place.
    rooms : tuple of str
        Only assets of these rooms are there to be computed; all where none is named.
    """

    def __init__(self, folder: Path, rooms: tuple[str, ...] = ()) -> None:
        self.folder = folder
        for part in ("rutile_assets", "sql"):
            shutil.copytree(ROOT / part, folder / part)  # with times and bytecode: only what is edited compiles anew
        for file in ("dagster.yaml", "definitions.py", "workspace.yaml"):
            shutil.copy2(ROOT / file, folder / file)
        if rooms:
            self.edit("rutile_assets.rooms", "for asset in room.assets]\n    return tuple(sorted", (
                f"for asset in room.assets if room.name in {rooms!r}]\n    return tuple(sorted"))  # fmt: skip
        self._server: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `python -m rutile_assets.cli` and `dagster` find the copy and not this checkout."""
        return {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def edit(self, module: str, old: str, new: str) -> None:
        """Put one text in the place of another, which stands there once, in the source of a module of the copy."""
        path = self.folder / (module.replace(".", "/") + ".py")
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{module} has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def rutile(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of the copy."""
        return subprocess.run(
            [sys.executable, "-m", "rutile_assets.cli", "--home", str(home), *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def ask(self, script: str, *arguments: str) -> Any:
        """Run a script in a fresh process that imports the copy as it is now; return what it left in `answer`."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-c", _SERVER], cwd=self.folder, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps({"script": script, "arguments": arguments}) + "\n")
        self._server.stdin.flush()
        said = json.loads(self._server.stdout.readline())
        assert "fault" not in said, said["fault"]
        return said["answer"]

    def __enter__(self) -> EditedPackage:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None:
            self._server.communicate()
