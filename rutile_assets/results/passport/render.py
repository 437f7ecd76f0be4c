"""What every page is made with: the templates, scripts that cannot be ended by data, files written whole."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rutile_assets.results.passport.numbers import label, measured, reading

_STATE = re.compile(r'<meta name="rutile-state" content="([0-9a-f]+)">')
_STATE_STANDS_IN = 600


def state_of(page: Path) -> str | None:
    """Return the state that a page was made from, read off its head."""
    if not page.is_file():
        return None
    with page.open(encoding="utf-8") as handle:
        found = _STATE.search(handle.read(_STATE_STANDS_IN))
    return found.group(1) if found else None


@cache
def digest_of_code() -> str:
    """Return a digest of the modules and templates that make a page: a page of another release is written anew."""
    folder = Path(__file__).parent
    parts = [*sorted(folder.glob("*.py")), *sorted((folder / "templates").glob("*"))]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:8]


def put(path: Path, content: str) -> None:
    """Write a file whole, and only where it differs: who reads meanwhile sees the old one or the new one."""
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return
    beside = path.with_name(f".{path.name}.{id(content):x}")
    beside.write_text(content, encoding="utf-8")
    shutil.move(beside, path)


def as_json(value: Any) -> str:
    """Return JSON that may stand in a script: no tag can end it."""
    return json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )


def rendered(template: str, **values: Any) -> str:
    """Return a template filled in."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rutile_assets.results.passport", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["label"] = label
    environment.filters["measured"] = lambda row: measured(row["value"], row["sigma"])
    environment.filters["day"] = lambda moment: f"{moment:%Y-%m-%d %H:%M}" if moment else ""
    environment.globals["reading"] = reading
    return environment
