"""The growth of a simulated film as its chamber logs it, and the RHEED of its first layers.

Conditions of Jeong et al., Nat. Commun. (2026), doi 10.1038/s41467-026-69200-x, where it gives them: anneal at 300 C,
5e-6 torr of oxygen, Ru(acac)3 at 170 to 180 C, cooling to 120 C in the plasma. Rates, noise and the range of the
pyrometer are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.growth_steps import (
    BEFORE_S,
    FLOW,
    GAUGE,
    GROWTH_TEMPERATURE_C,
    OXYGEN_TORR,
    PYROMETER,
    SHUTTERS,
    SOURCE,
    SOURCE_C,
    THERMOCOUPLE,
    steps,
)
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import FilmTruth

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GrowthLogSetup:
    """How the chamber logs.

    Parameters
    ----------
    sampling_s, jitter_s : float
        Time between readings and its standard deviation [s].
    before_s, cooling_s : float
        Logged before the first shutter opens, and after the last one closes [s].
    pyrometer_low_c, pyrometer_high_c : float
        Range of the pyrometer [deg C]; it reads its limit below.
    wander_time_s : float
        Time in which the substrate's wander forgets [s].
    pause_s : float
        One pause of the logger, in the cooling [s].
    """

    sampling_s: float = 2.0
    jitter_s: float = 0.05
    before_s: float = BEFORE_S
    cooling_s: float = 700.0
    pyrometer_low_c: float = 250.0
    pyrometer_high_c: float = 1250.0
    wander_time_s: float = 8.0
    pause_s: float = 64.0


@dataclass(frozen=True)
class LoggedChannel:
    """One channel: its name, the unit (None as in PARADIM's files), the range, times [s] and readings, both (N,)."""

    name: str
    unit: str | None
    limits: tuple[float, float]
    time_s: FloatArray
    values: FloatArray


def simulate_growth_log(
    truth: FilmTruth, setup: GrowthLogSetup, realism: Realism, rng: np.random.Generator
) -> list[LoggedChannel]:
    """Return the log of a film, channel by channel, each on its own times."""
    grown = steps([(layer.material, layer.thickness_nm) for layer in truth.layers], setup.before_s)
    start, stop = grown[0][1], grown[-1][2]
    end = stop + setup.cooling_s
    fine = np.arange(0.0, end, 0.5)
    forget = np.exp(-0.5 / setup.wander_time_s)
    wander = _wander(len(fine), forget, rng) * realism.substrate_wander_c
    ramp = np.where(fine < stop, GROWTH_TEMPERATURE_C, 120.0 + 180.0 * np.exp(-(fine - stop) / 250.0))
    ramp = np.where(fine < 0.5 * start, GROWTH_TEMPERATURE_C - 60.0 * (1.0 - fine / (0.5 * start)), ramp)
    sample_c = ramp + wander
    pyro_error, tc_error = rng.normal(size=2) * (realism.pyrometer_calibration_c, realism.thermocouple_calibration_c)
    gauge = OXYGEN_TORR * (1.0 + realism.gauge_calibration * rng.normal())
    source_error = realism.thermocouple_calibration_c * rng.normal()  # a thermocouple of its own

    def channel(
        name: str, unit: str, limits: tuple[float, float], true: FloatArray, noise: float, spike: float
    ) -> LoggedChannel:
        time = _times(end, stop, setup, rng)
        values = np.interp(time, fine, true) + noise * rng.normal(size=len(time))
        values += spike * (rng.uniform(size=len(time)) < realism.log_spike_probability)
        return LoggedChannel(name, unit, limits, time, np.clip(values, *limits))

    open_now = {name: np.zeros(len(fine)) for name in SHUTTERS.values()}
    for material, opens, closes in grown:
        open_now[SHUTTERS[material]][(fine >= opens) & (fine < closes)] = 1.0
    ttip = np.where(np.convolve(open_now["TTIP.Shutter"], np.ones(41), "same") > 0, 0.15, 0.0)
    flat = np.ones_like(fine)
    channels = [
        channel(PYROMETER, "C", (setup.pyrometer_low_c, setup.pyrometer_high_c), sample_c + pyro_error,
                realism.pyrometer_noise_c, 40.0),
        channel(THERMOCOUPLE, "C", (-200.0, 1370.0), sample_c + tc_error, realism.thermocouple_noise_c, 25.0),
        channel(GAUGE, "torr", (1e-11, 1e-3), gauge * flat, realism.gauge_noise * gauge, 3e-5),
        channel(SOURCE, "C", (0.0, 600.0), SOURCE_C * flat + source_error, realism.source_noise_c, 0.0),
        channel(FLOW, "torr", (-0.01, 1.0), ttip, realism.flow_noise_torr, 0.0),
    ]  # fmt: skip
    for name, is_open in open_now.items():
        if not is_open.any():
            continue
        time = _times(end, stop, setup, rng)
        edges = [(o, c) for m, o, c in grown if SHUTTERS[m] == name]
        state = np.array([float(any(o <= t < c for o, c in edges)) for t in time])
        channels.append(LoggedChannel(name, "1", (0.0, 1.0), time, state))
    return channels


def _wander(count: int, forget: float, rng: np.random.Generator) -> FloatArray:
    noise, values, now = rng.normal(size=count), np.empty(count), float(rng.normal())
    for i in range(count):
        now = forget * now + float(np.sqrt(1.0 - forget**2)) * noise[i]
        values[i] = now
    return values


def _times(end: float, stop: float, setup: GrowthLogSetup, rng: np.random.Generator) -> FloatArray:
    count = int(end / setup.sampling_s)
    time = setup.sampling_s * (np.arange(count) + rng.uniform()) + setup.jitter_s * rng.normal(size=count).clip(-5, 5)
    pause = stop + 0.3 * setup.cooling_s
    return np.maximum(time[(time < pause) | (time > pause + setup.pause_s)], 0.0)


def paradim_text(channel: LoggedChannel) -> bytes:
    """Return a channel as one file, PARADIM style: the brackets hold the range, no unit is said."""
    low, high = channel.limits
    head = f"Elapsed time [s]\tValue [{low:g},{high:g}]\r\n"
    rows = "".join(f"{t:.3f}\t{v:.6G}\r\n" for t, v in zip(channel.time_s, channel.values, strict=True))
    return (head + rows).encode()


@dataclass(frozen=True)
class RheedSetup:
    """How RHEED is filmed: pictures of `height` x `width` pixels, `frames` of them `interval_s` apart."""

    width: int = 48
    height: int = 32
    frames: int = 100
    interval_s: float = 2.0
    background_counts: float = 120.0
    spot_counts: float = 1600.0
    amplitude: float = 0.25
    damping_s: float = 120.0
    recovery_s: float = 60.0
    counts_per_electron: float = 4.0
    full_counts: int = 4095


def spot_intensity(time_s: FloatArray, layers_a_second: float, setup: RheedSetup) -> FloatArray:
    """Return the specular intensity relative to the bare surface's, (N,): damped, peaked at whole layers, drifting."""
    coverage = (layers_a_second * time_s) % 1.0
    wave = 0.6 * np.cos(2.0 * np.pi * coverage) + 0.4 * ((1.0 - 2.0 * coverage) ** 2 - 1.0 / 3.0)
    slow = 1.0 - 0.2 * (1.0 - np.exp(-time_s / setup.recovery_s))
    return np.asarray(slow + setup.amplitude * np.exp(-time_s / setup.damping_s) * wave)


def simulate_rheed(layers_a_second: float, setup: RheedSetup, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return the pictures, (N, Y, X): each exposed for its interval, counted electrons, a camera that fills."""
    inside = (np.arange(9) + 0.5) / 9.0 * setup.interval_s
    starts = setup.interval_s * np.arange(setup.frames)
    relative = spot_intensity((starts[:, None] + inside).ravel(), layers_a_second, setup).reshape(-1, 9).mean(axis=1)
    y, x = np.mgrid[: setup.height, : setup.width].astype(np.float64)
    spot = np.exp(-(((x - 0.5 * setup.width) / 1.6) ** 2) - ((y - 0.6 * setup.height) / 2.8) ** 2)
    sides = sum(
        np.exp(-(((x - c * setup.width) / 1.8) ** 2) - ((y - 0.4 * setup.height) / 5.0) ** 2) for c in (0.2, 0.8)
    )
    counts = setup.background_counts + 0.3 * setup.spot_counts * sides
    frames = counts[None] + setup.spot_counts * relative[:, None, None] * spot[None]
    seen = rng.poisson(frames / setup.counts_per_electron) * setup.counts_per_electron
    return np.asarray(np.clip(np.round(seen), 0, setup.full_counts), dtype=np.uint16)


def ksa_movie(frames: npt.NDArray[np.uint16]) -> bytes:
    """Return pictures as k-Space kSA 400 writes them: a header of 640 bytes and the counts, frame after frame."""
    parts = []
    for frame in frames:
        header = bytearray(640)
        header[0] = 1
        header[39:45] = b"KSA00F"
        header[49:51] = int(frame.shape[1]).to_bytes(2, "big")
        header[321:323] = int(frame.shape[0]).to_bytes(2, "big")
        parts += [bytes(header), frame.astype("<u2").tobytes()]
    return b"".join(parts)
