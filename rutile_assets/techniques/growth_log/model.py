"""Growth logs: what a channel is, when the film grew, and the means over that time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.estimate import Estimate
from rutile_assets.physics.series import BoolArray, mean_and_std, spikes
from rutile_assets.units import convert

FloatArray = npt.NDArray[np.float64]

ROLES = ("pyrometer", "thermocouple", "pressure", "source_temperature", "flow", "shutter", "plasma", "other")
# in this order: the first that fits the channel's name
NAMED = (
    ("shutter", re.compile(r"shutter", re.IGNORECASE)),
    ("pyrometer", re.compile(r"pyro|exactus|basf", re.IGNORECASE)),
    ("flow", re.compile(r"flow|mfc|baratron", re.IGNORECASE)),
    ("pressure", re.compile(r"ion\s*gauge|pressure|\bbep\b", re.IGNORECASE)),
    ("plasma", re.compile(r"plasma|\brf\b", re.IGNORECASE)),
    ("source_temperature", re.compile(r"\b(cell|effusion|source)\b|acac", re.IGNORECASE)),
    ("thermocouple", re.compile(r"thermocouple|manip|\btc\b", re.IGNORECASE)),
)
# spelling in lower case -> pint's
SPELLED = {
    "c": "degC",
    "°c": "degC",
    "degc": "degC",
    "celsius": "degC",
    "k": "kelvin",
    "torr": "torr",
    "mtorr": "mtorr",
}
SPELLED |= {"mbar": "millibar", "pa": "pascal", "bar": "bar", "hpa": "hectopascal"}
AT_LIMIT = 1e-3  # part of a limit within which a reading counts as standing at it
LEAST = 16  # readings that a mean with an error needs


@dataclass(frozen=True)
class GrowthLogParameters:
    """What a person may choose about growth logs.

    Parameters
    ----------
    grid_s : float
        Step of the common grid [s].
    gap_factor : float
        Pauses longer than this many median sampling times stay pauses.
    start_s, stop_s : float
        The growth, since the start of the earliest log; where stop is 0 the shutters tell.
    settle_s : float
        Time at either end of the growth that means leave out [s].
    pyrometer_calibration_c, thermocouple_calibration_c : float
        One sigma of the sensors' calibration [deg C] (emissivity and window; 0.75 % of a type K thermocouple).
    gauge_calibration_fraction : float
        One sigma of an ion gauge's sensitivity, relative.
    """

    grid_s: float = 2.0
    gap_factor: float = 5.0
    start_s: float = 0.0
    stop_s: float = 0.0
    settle_s: float = 0.0
    pyrometer_calibration_c: float = 3.0
    thermocouple_calibration_c: float = 2.2
    gauge_calibration_fraction: float = 0.1


@dataclass(frozen=True)
class Channel:
    """One channel of a log.

    Parameters
    ----------
    name : str
        As the file says.
    time_s, values : ndarray
        (N,) time since the earliest log of the film [s], readings in `unit`.
    unit : str or None
        As the file or the sidecar says.
    role : str or None
        One of `ROLES`.
    limits : (float, float) or None
        The instrument's range, in `unit`.
    """

    name: str
    time_s: FloatArray
    values: FloatArray
    unit: str | None = None
    role: str | None = None
    limits: tuple[float, float] | None = None

    @property
    def saturated(self) -> BoolArray:
        """(N,) which readings stand at a limit; none of a switch, whose two states may be the limits."""
        if self.limits is None or self.role == "shutter":
            return np.zeros(len(self.values), dtype=bool)
        low, high = self.limits
        at_low = self.values <= low + AT_LIMIT * abs(low)
        at_high = self.values >= high - AT_LIMIT * abs(high)
        if (at_low | at_high).all() and at_low.any() and at_high.any():
            return np.zeros(len(self.values), dtype=bool)
        return np.asarray(at_low | at_high)

    @property
    def sampling_s(self) -> float:
        """Median time between readings [s]; NaN for a single one."""
        return float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else float("nan")

    def gaps(self, factor: float) -> BoolArray:
        """(N - 1,) which pauses are longer than `factor` median sampling times."""
        return np.asarray(np.diff(self.time_s) > factor * self.sampling_s)


def role_of(name: str, declared: str | None) -> str | None:
    """Return the declared role, else the one that the channel's name gives away, else None."""
    if declared is not None:
        return declared if declared in ROLES else "other"
    return next((role for role, pattern in NAMED if pattern.search(name)), None)


@dataclass(frozen=True)
class Opening:
    """When a shutter stood open.

    Parameters
    ----------
    start_s, stop_s : float
        First opening, last closing [s].
    open_s, open_std_s : float
        Time open in all and its error: each change lies evenly between two readings [s].
    """

    start_s: float
    stop_s: float
    open_s: float
    open_std_s: float


def opening(channel: Channel) -> Opening | None:
    """Return when a shutter was open; None where it never opened and closed again within the log."""
    is_open = channel.values > 0.5 * (channel.values.min() + channel.values.max())
    if np.ptp(channel.values) == 0 or is_open[0] or is_open[-1]:
        return None
    changes = np.flatnonzero(np.diff(is_open.astype(int)))
    middle = 0.5 * (channel.time_s[changes] + channel.time_s[changes + 1])
    width = channel.time_s[changes + 1] - channel.time_s[changes]
    opened, closed = middle[::2], middle[1::2]
    return Opening(
        float(opened[0]), float(closed[-1]), float((closed - opened).sum()), float(np.sqrt((width**2).sum() / 12.0))
    )


# role -> quantity, its unit's suffix
MEANS = {
    "pyrometer": ("growth_temperature_c", "c"),
    "thermocouple": ("thermocouple_temperature_c", "c"),
    "pressure": ("growth_pressure_torr", "torr"),
    "source_temperature": ("source_temperature_c", "c"),
}


def plateau(channel: Channel, start_s: float, stop_s: float, chosen: GrowthLogParameters) -> Estimate | str | None:
    """Return the mean of a channel over the growth, or why there is none; None for a channel of no interest.

    Spikes are left out; a channel that stood at a limit of its range in more than one reading of a hundred has no
    mean. The error is that of a correlated series (`mean_and_std`); the sensor's calibration is a named systematic.

    Parameters
    ----------
    channel : Channel
        Times [s] as `start_s` and `stop_s`.
    start_s, stop_s : float
        The growth [s].
    """
    if channel.role not in MEANS:
        return None
    quantity, suffix = MEANS[channel.role]
    if channel.unit is None:
        return f"{channel.name}: nobody says its unit, so it has no mean (declare it in the sidecar)."
    unit = SPELLED.get(channel.unit.strip().lower())
    try:
        convert(300.0, unit or "", suffix)
    except Exception:  # pint raises many kinds of error
        return f"{channel.name}: {channel.unit!r} is no unit of {quantity}."
    within = (channel.time_s >= start_s + chosen.settle_s) & (channel.time_s <= stop_s - chosen.settle_s)
    if within.sum() < LEAST:
        return f"{channel.name}: {int(within.sum())} readings during the growth; {LEAST} are needed for a mean."
    if channel.saturated[within].mean() > 0.01:
        return f"{channel.name}: at the limit of its range during the growth, so it has no mean."
    values = np.array([convert(v, unit or "", suffix) for v in channel.values[within]])
    out = spikes(values)
    mean, std = mean_and_std(values[~out])
    calibration = {
        "pyrometer": ("calibration of pyrometers", chosen.pyrometer_calibration_c),
        "thermocouple": ("calibration of thermocouples", chosen.thermocouple_calibration_c),
        "source_temperature": ("calibration of thermocouples", chosen.thermocouple_calibration_c),
        "pressure": ("sensitivity of ion gauges", chosen.gauge_calibration_fraction * mean),
    }[channel.role]
    return Estimate(
        (quantity,),
        np.array([mean]),
        np.array([[std**2]]),
        f"mean of {int((~out).sum())} readings during the growth; error from the power spectrum at zero frequency",
        "covariance",
        (channel.name,),
        {calibration[0]: np.array([calibration[1]])},
        (f"{int(out.sum())} spikes left out.",) if out.any() else (),
    )


def duration(channel: Channel, found: Opening) -> Estimate:
    """Return how long a shutter stood open."""
    return Estimate(
        ("growth_duration_s",),
        np.array([found.open_s]),
        np.array([[found.open_std_s**2]]),
        "time between the readings that show the shutter open; each change lies evenly between two readings",
        "covariance",
        (channel.name,),
    )
