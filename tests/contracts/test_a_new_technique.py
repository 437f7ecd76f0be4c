"""ARCHITECTURE.md's promise: a new technique is a folder, a reader, a SQL file, and two edited lines elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from growths import drop_growth

ROOT = Path(__file__).resolve().parents[2]


def _recipe() -> dict[str, str]:
    """Return path -> content of the files that ARCHITECTURE.md shows for a toy technique."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL))


def test_a_toy_technique_from_architecture_md_runs_end_to_end(tmp_path: Path) -> None:
    copy = tmp_path / "house"
    copy.mkdir()
    for name in ("rutile_assets", "sql", "dagster.yaml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    files = _recipe()
    assert len(files) == 4
    for path, content in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(content, encoding="utf-8")
    (copy / "rutile_assets/techniques/ellipsometry/__init__.py").write_text('"""Ellipsometry."""\n')
    _edit(
        copy / "rutile_assets/formats/__init__.py",
        "    xy_text.FORMAT,\n",
        "    psi_delta.FORMAT,\n    xy_text.FORMAT,\n",
    )
    _edit(copy / "rutile_assets/formats/__init__.py", "    rigaku_asc,\n", "    psi_delta,\n    rigaku_asc,\n")
    rooms = copy / "rutile_assets/rooms.py"
    line = "from rutile_assets.techniques.growth.assets"
    _edit(rooms, line, f"from rutile_assets.techniques.ellipsometry.assets import ROOM as ELLIPSOMETRY\n{line}")
    _edit(rooms, "    GROWTH,\n", "    GROWTH,\n    ELLIPSOMETRY,\n")

    home = tmp_path / "home"
    folder = drop_growth(home / "inbox", "MBE-1")
    (folder / "scan.psi").write_text("PSI-DELTA\n633 20.5\n633 20.7\n633 20.6\n")
    environment = {**os.environ, "PYTHONPATH": str(copy)}

    def rutile(*words: str) -> str:
        command = [sys.executable, "-m", "rutile_assets.cli", "--home", str(home), *words]
        answer = subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    assert "ellipsometry" in rutile("ingest", str(folder))
    rutile("run")
    assert "20.6" in rutile("sql", "SELECT psi_deg FROM ellipsometry_mean")
    assert "psi_deg" in rutile("sql", "SELECT quantity FROM ellipsometry WHERE growth_id = 'MBE-1'")


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1))
