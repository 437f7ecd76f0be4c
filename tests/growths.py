"""Small growths that tests drop into an inbox."""

from __future__ import annotations

from pathlib import Path

GROWTH = """\
growth_id: {growth_id}
origin: simulated
grown_at: 2025-03-14T10:20:00
method: hybrid MBE
substrate: {{material: TiO2, orientation: "110", vendor: CrysTec}}
layers:
  - {{material: RuO2, nominal_thickness_nm: {thickness}, precursor: Ru(acac)3, source_temperature_c: 175}}
conditions: {{oxygen_pressure_torr: 5.0e-6, plasma_power_w: 250, cooldown_to_c: 120}}
"""


def drop_growth(inbox: Path, growth_id: str, thickness: float = 3.8) -> Path:
    """Write a growth folder with a growth.yaml and return it."""
    folder = inbox / growth_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.yaml").write_text(GROWTH.format(growth_id=growth_id, thickness=thickness))
    return folder
