"""What the grower of the simulated films does: temperature, pressure, sources, and when each shutter opens.

Temperatures of anneal and source and the pressure are those of Jeong et al., Nat. Commun. (2026),
doi 10.1038/s41467-026-69200-x; the rates are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

GROWTH_TEMPERATURE_C = 300.0
OXYGEN_TORR = 5.0e-6
SOURCE_C = 175.0
RATES_NM_PER_S = {"RuO2": 0.010, "TiO2": 0.020}
BEFORE_S, BETWEEN_S = 300.0, 30.0
PYROMETER, THERMOCOUPLE, GAUGE = "Substrate.Pyrometer", "Manipulator.Thermocouple", "Chamber.IonGauge1"
SOURCE, FLOW = "Ru(acac)3 cell", "TTIP.Baratron"
SHUTTERS = {"RuO2": "Ru.Shutter", "TiO2": "TTIP.Shutter"}
FILMED_NM = (3.5, 6.5, 17.2)  # uncapped films whose RHEED was filmed


def steps(layers: Sequence[tuple[str, float]], before_s: float = BEFORE_S) -> list[tuple[str, float, float]]:
    """Return (material, opens at, closes at) [s] of each (material, thickness [nm]), bottom to top."""
    found, now = [], before_s
    for material, thickness_nm in layers:
        found.append((material, now, now + thickness_nm / RATES_NM_PER_S[material]))
        now = found[-1][2] + BETWEEN_S
    return found


def growth_truth(layers: Sequence[tuple[str, float]]) -> list[tuple[str, str, float]]:
    """Return (quantity, subject, value) of what the log of a film shows; nothing where nothing was grown."""
    if not layers:
        return []
    open_s: dict[str, float] = {}
    for material, start, stop in steps(layers):
        open_s[SHUTTERS[material]] = open_s.get(SHUTTERS[material], 0.0) + stop - start
    return [
        ("growth_temperature_c", PYROMETER, GROWTH_TEMPERATURE_C),
        ("thermocouple_temperature_c", THERMOCOUPLE, GROWTH_TEMPERATURE_C),
        ("growth_pressure_torr", GAUGE, OXYGEN_TORR),
        ("source_temperature_c", SOURCE, SOURCE_C),
        *(("growth_duration_s", shutter, seconds) for shutter, seconds in open_s.items()),
    ]


def layers_per_s(spacing_nm: float) -> float:
    """Return planes of RuO2 a second, of a spacing [nm]."""
    return RATES_NM_PER_S["RuO2"] / spacing_nm
