"""`rutile doctor`: is this machine ready, and is this home sound."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys

from rutile_assets import __version__
from rutile_assets.errors import RutileError
from rutile_assets.lake import connection, vault
from rutile_assets.ops.house import House

Finding = tuple[bool, str, str]


def examine(house: House, vault_sample: int = 50) -> list[Finding]:
    """Return what was looked at: (sound, what, what was found).

    Parameters
    ----------
    house : House
        The home.
    vault_sample : int
        How many raw objects to hash again; the newest ones.
    """
    return [
        (sys.version_info >= (3, 11), "Python", platform.python_version()),
        (True, "rutile_assets", __version__),
        *[
            (True, name, importlib.metadata.version(name))
            for name in ("dagster", "duckdb", "pandas", "pandera", "zarr")
        ],
        *[_extension(name) for name in connection.EXTENSIONS],
        _torch(),
        _disk(house),
        (True, "home", str(house.home.root)),
        _settings(house),
        _lake(house),
        _vault(house, vault_sample),
    ]


def _extension(name: str) -> Finding:
    try:
        return True, f"DuckDB extension {name}", str(connection.loaded_extension(name))
    except RutileError as fault:
        return False, f"DuckDB extension {name}", str(fault)


def _torch() -> Finding:
    try:
        import torch  # noqa: PLC0415 - two seconds that only the doctor spends
    except ImportError as fault:
        return False, "torch", str(fault)
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU, the CPU is used"
    return True, "torch", f"{torch.__version__} ({device})"


def _disk(house: House) -> Finding:
    free = shutil.disk_usage(house.home.root).free / 1e9
    return free > 1, "free disk", f"{free:.1f} GB"


def _settings(house: House) -> Finding:
    try:
        settings = house.home.settings
    except RutileError as fault:
        return False, "rutile.yaml", str(fault)
    return True, "rutile.yaml", str(settings) if settings else "none: every parameter has its default"


def _lake(house: House) -> Finding:
    try:
        row = house.lake.rows(
            "SELECT (SELECT count(DISTINCT growth_id) FROM current_raw_file) AS films,"
            " (SELECT count(*) FROM current_raw_file) AS files,"
            " (SELECT count(*) FROM results WHERE is_current) AS numbers"
        )[0]
    except RutileError as fault:
        return False, "lake", str(fault)
    return True, "lake", "{films} films, {files} files, {numbers} current numbers".format(**row)


def _vault(house: House, sample: int) -> Finding:
    newest = house.lake.rows("SELECT sha256 FROM lake.raw_object ORDER BY first_seen DESC LIMIT ?", [sample])
    broken = [row["sha256"] for row in newest if not vault.is_intact(house.home.vault, row["sha256"])]
    if broken:
        return False, "vault", f"{len(broken)} of {len(newest)} objects have lost their bytes, first {broken[0]}"
    return True, "vault", f"{len(newest)} newest objects hashed again, all intact"
