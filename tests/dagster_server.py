"""`dagster dev` over a home, on a free port: started, asked by GraphQL, stopped or killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = {"repositoryLocationName": "rutile", "repositoryName": "__repository__"}


class Server:
    """`dagster dev` with its daemon; `code` is the folder whose workspace.yaml and package it loads."""

    def __init__(self, home: Path, code: Path = ROOT) -> None:
        self.home, self.code = home, code
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        (home / "dagster").mkdir(parents=True, exist_ok=True)
        shutil.copy(code / "dagster.yaml", home / "dagster" / "dagster.yaml")
        environment = {
            **os.environ, "RUTILE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "PYTHONPATH": str(code)
        }  # fmt: skip
        command = [sys.executable, "-m", "dagster", "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1"]
        with (home / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], cwd=code, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        until(self._answers, 180, "the server to answer")

    def ask(self, query: str, **variables: object) -> Any:
        """Return the data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def stop(self) -> None:
        """Ask the server to end, then see to it that no process of this home is left."""
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.kill()

    def kill(self) -> None:
        """End every process of this home at once, as a power cut does."""
        for process_id in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self.process.wait(30)

    def _processes(self) -> list[int]:
        """Return the processes that this server started, known by the home in their environment."""
        mark = f"RUTILE_HOME={self.home}\0".encode()
        found = [self.process.pid]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def _answers(self) -> bool:
        try:
            return bool(self.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(1)
