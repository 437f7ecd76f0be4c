"""What a person types, from dropped files to numbers, pages and SQL, on a simulated film."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from rutile_assets.simulation.campaign import simulate


def rutile(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rutile_assets.cli", "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with two simulated films, ingested and computed; one film has a scan that was cut short."""
    root = tmp_path_factory.mktemp("home")
    simulate(root, films=2, seed=3)
    ingested = rutile(root, "ingest", str(root / "inbox"))
    assert ingested.returncode == 3, ingested.stderr
    assert "1 rejected" in ingested.stdout
    ran = rutile(root, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return root


def test_results_hold_every_rooms_numbers_with_sigma_and_source(home: Path) -> None:
    query = "SELECT DISTINCT technique, quantity FROM results WHERE is_current AND sigma IS NOT NULL"
    answer = json.loads(rutile(home, "sql", query, "--format", "json").stdout)
    found = {(row["technique"], row["quantity"]) for row in answer}
    assert found >= {
        ("xrr", "thickness_nm"),
        ("xrr", "total_thickness_nm"),
        ("afm", "roughness_sq_pm"),
        ("kpfm", "v_cpd_v"),
        ("transport", "sheet_resistance_ohm"),
        ("transport", "sigma_2d_s"),
        ("transport", "sheet_density_per_cm2"),
        ("transport", "mobility_cm2_per_vs"),
    }
    columns = (
        "growth_id, quantity, value, sigma, sigma_source, unit, method, technique, source_file, activity_id, is_current"
    )
    assert rutile(home, "sql", f"SELECT {columns} FROM results LIMIT 1").returncode == 0


def test_results_agree_with_the_truth_that_the_pipeline_never_saw(home: Path) -> None:
    from rutile_assets.ops.house import open_house  # noqa: PLC0415
    from rutile_assets.ops.score import score  # noqa: PLC0415

    rows = score(open_house(home).lake, home / "truth")
    assert len(rows) > 30
    assert all(abs(row["pull"]) < 5 for row in rows if row["pull"] is not None), rows


def test_nothing_is_stale_after_a_run_and_a_touched_parameter_names_itself(home: Path) -> None:
    assert "nothing is stale" in rutile(home, "run").stdout
    (home / "rutile.yaml").write_text("parameters: {kpfm_potential: {repeatability_v: 0.004}}\n")
    dry = rutile(home, "run", "--dry-run").stdout.splitlines()
    changed = [line for line in dry if "kpfm_potential  parameter repeatability_v: was 0.003, is 0.004" in line]
    assert len(changed) == 2
    assert all(line.startswith("all films") and "is stale" in line for line in dry if line not in changed), dry
    (home / "rutile.yaml").write_text("parameters: {kpfm_potential: {repeatabilty_v: 0.004}}\n")
    wrong = rutile(home, "run")
    assert wrong.returncode == 2
    assert "'repeatability_v'" in wrong.stderr
    (home / "rutile.yaml").unlink()


def test_a_number_leads_to_its_bytes_and_a_file_to_its_numbers(home: Path) -> None:
    film = sorted(p.name for p in (home / "inbox").iterdir())[0]
    tree = rutile(home, "trace", film, "total_thickness_nm", "--why").stdout
    sha256 = json.loads(
        rutile(home, "sql", f"SELECT sha256 FROM raw_file WHERE growth_id = '{film}' AND technique = 'xrr'",
               "--format", "json").stdout
    )[0]["sha256"]  # fmt: skip
    assert sha256 in tree
    assert "xrr_scan" in tree
    forward = rutile(home, "trace", sha256).stdout
    assert "total_thickness_nm" in forward
    assert "v_cpd_v" not in forward
    assert (home / "vault/raw/sha256" / sha256[:2] / sha256[2:4] / sha256).is_file()


def test_the_lake_can_be_seen_as_it_was(home: Path) -> None:
    early = rutile(home, "sql", "SELECT count(*) AS n FROM results", "--at", "2", "--format", "csv").stdout
    now = rutile(home, "sql", "SELECT count(*) AS n FROM results", "--format", "csv").stdout
    assert int(early.split()[1]) == 0
    assert int(now.split()[1]) > 40


def test_sql_writes_every_format_and_refuses_to_change_anything(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "films.parquet"
    assert rutile(home, "sql", "FROM film_passport", "--format", "parquet", "--out", str(out)).returncode == 0
    assert pyarrow.parquet.read_table(out).num_rows == 2
    wrong = rutile(home, "sql", "SELEKT 1")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    assert rutile(home, "sql", "DELETE FROM lake.result").returncode == 2


def test_the_films_page_says_simulated_and_shows_numbers_figures_and_refusals(home: Path) -> None:
    index = (home / "reports/index.html").read_text()
    for film in (home / "inbox").iterdir():
        assert f"films/{film.name}/index.html" in index
        page = (home / "reports/films" / film.name / "index.html").read_text()
        assert "simulated data" in page
        assert "total_thickness_nm" in page
        assert "http://" not in page.replace("http://www.w3.org", "")
        for figure in ("xrr_fit.svg", "afm_roughness.svg", "kpfm_potential.svg", "transport_hall.svg"):
            assert (home / "reports/films" / film.name / figure).is_file()
            assert figure in page
            assert b"simulated" in (home / "reports/films" / film.name / "index.html").read_bytes()
    assert "_copy" in index


def test_inspect_needs_no_lake(home: Path, tmp_path: Path) -> None:
    scan = next((home / "inbox").rglob("*_XRR.rasx"))
    shown = rutile(tmp_path / "none", "inspect", str(scan))
    assert shown.returncode == 0
    assert "two_theta_deg" in shown.stdout
    assert not (tmp_path / "none").exists()
    (tmp_path / "junk").write_bytes(b"\x00\x01")
    refused = rutile(tmp_path / "none", "inspect", str(tmp_path / "junk"))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_the_doctor_finds_a_healthy_home_and_a_broken_vault(home: Path) -> None:
    healthy = rutile(home, "doctor")
    assert healthy.returncode == 0, healthy.stdout
    assert "torch" in healthy.stdout
    victim = next((home / "vault/raw").rglob("*.*"), None) or next(
        p for p in (home / "vault/raw").rglob("*") if p.is_file()
    )
    content = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(b"changed")
    try:
        assert rutile(home, "doctor").returncode == 1
    finally:
        victim.write_bytes(content)


def test_a_selection_computes_only_what_it_names(home: Path) -> None:
    ran = rutile(home, "run", "--all", "--select", "group:kpfm", "--dry-run").stdout
    assert {line.split()[1] for line in ran.splitlines()} == {"kpfm_map", "kpfm_potential"}
    wrong = rutile(home, "run", "--select", "nothing_like_this")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
