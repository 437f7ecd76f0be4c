"""What the writers are given: scans and images, with what the instrument knows about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Header:
    """Who measured what and when, for any format.

    Parameters
    ----------
    sample, operator, comment : str
        Free text.
    started_at : datetime
        The instrument's clock.
    """

    sample: str
    operator: str
    comment: str
    started_at: datetime


@dataclass(frozen=True)
class XrayScan:
    """A diffractometer's scan.

    Parameters
    ----------
    two_theta_deg, detected_counts, attenuation_factor : ndarray
        (P,) angle [deg], counts as the detector counted them, absorber's factor (1 without).
    counting_time_s : float
        Of one point [s].
    axis : str
        ``TwoThetaOmega`` (coupled), ``TwoTheta`` or ``Omega``.
    positions_deg : mapping
        Where the other axes stand: ``Omega``, ``Chi``, ``Phi`` [deg].
    """

    two_theta_deg: FloatArray
    detected_counts: FloatArray
    attenuation_factor: FloatArray
    counting_time_s: float
    axis: str
    positions_deg: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """One channel of a scanning probe microscope.

    Parameters
    ----------
    label : str
        The instrument's name of the channel.
    values : ndarray
        (Y, X), row 0 at the top of the image.
    unit : str
        ``nm``, ``V`` or ``deg``.
    """

    label: str
    values: FloatArray
    unit: str
