"""Serve the pages on this machine: reports/ and the vault that they link to, read-only, nothing else of the home."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home

HOST = "127.0.0.1"
_SERVED = ("reports", "vault")
_NAMES = frozenset({"127.0.0.1", "localhost"})


class _Handler(SimpleHTTPRequestHandler):
    """Answers for files under the served folders alone; links that lead out of them are not followed."""

    def do_GET(self) -> None:
        """Send a file; the bare address leads to the index."""
        if urlsplit(self.path).path == "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", "/reports/index.html")
            self.end_headers()
        elif self._may_be_sent():
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        """Answer as GET does, without the bytes."""
        if self._may_be_sent():
            super().do_HEAD()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Let browsers ask again: a page may have been written anew."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal for Dagster."""

    def _may_be_sent(self) -> bool:
        """Tell whether the address names a file of a served folder, asked by this machine's own name."""
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        parts = unquote(urlsplit(self.path).path).split("/")[1:]
        if host not in _NAMES or not parts or parts[0] not in _SERVED:
            return False
        root = Path(self.directory).resolve()
        wanted = root.joinpath(*parts).resolve()
        return wanted.is_file() and any(wanted.is_relative_to(root / served) for served in _SERVED)


def page_server(home: Home, port: int) -> ThreadingHTTPServer:
    """Return a server of the home's pages, bound and not yet running.

    Raises
    ------
    InvalidRecord
        The port is taken.
    """
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(home.root)))
    except OSError as fault:
        raise InvalidRecord(
            f"port {port}: {fault.strerror}", "a free port on 127.0.0.1", "Name another: --port, or PAGES_PORT=."
        ) from fault


def serve_pages(home: Home, port: int, tell: Callable[[str], None]) -> None:
    """Serve the pages until the process is interrupted; `tell` is called with their address."""
    with page_server(home, port) as server:
        tell(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
