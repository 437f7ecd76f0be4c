"""What every reader returns: arrays with units in their names, and the settings the instrument wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import UnreadableFile

FloatArray = npt.NDArray[np.float64]
Setting = str | int | float | bool | None | list[float] | list[str]

MAX_FILE_BYTES = 512 * 1024**2
MAX_UNPACKED_BYTES = 512 * 1024**2
INSTRUMENT_HEADER = "instrument_header"


@dataclass(frozen=True)
class Source:
    """A file to read.

    Parameters
    ----------
    path : Path
        Where the bytes lie (in the vault the name there is a hash).
    name : str
        The file as the person knows it, e.g. ``xrr/MBE-0142.rasx``; its ending may help, never decide.
    declared : mapping
        What a person declared beside the file (``file.ext.yaml``, ``settings.yaml``); wins over the file.
    """

    path: Path
    name: str
    declared: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Source:
        """Return a source that is named after its own path."""
        return cls(path, path.name)

    def head(self, count: int = 4096) -> bytes:
        """Return the first `count` bytes."""
        with self.path.open("rb") as handle:
            return handle.read(count)

    def read(self) -> bytes:
        """Return all bytes.

        Raises
        ------
        UnreadableFile
            The file is empty or larger than `MAX_FILE_BYTES`.
        """
        size = self.path.stat().st_size
        if size == 0:
            raise UnreadableFile("an empty file", "measured data", "Copy it again from the instrument.", self.name)
        if size > MAX_FILE_BYTES:
            raise UnreadableFile(
                f"{size} bytes",
                f"at most {MAX_FILE_BYTES} bytes",
                "Split the file or ask for a larger limit.",
                self.name,
            )
        return self.path.read_bytes()


@dataclass(frozen=True)
class Scan:
    """Columns that were measured together, point by point.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Name with its unit (``two_theta_deg``, ``intensity_counts_per_s``) -> (P,) float64, all of one length.
        NaN where the instrument wrote nothing.
    settings : mapping
        What held for this scan alone: fixed axes, counting time, attenuators.
    """

    columns: Mapping[str, FloatArray]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Number of points P."""
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class Channel:
    """One map of a scanning probe or a detector image.

    Parameters
    ----------
    label : str
        The instrument's own name ("HeightRetrace").
    quantity : str
        Ours, with its unit: ``height_nm``, ``potential_v``, ``amplitude_nm``, ``phase_deg``; the label in lower
        case, without a unit, where the file gives none.
    values : ndarray
        (Y, X) float64; row 0 is the top of the image as the microscope shows it (slow axis downwards).
    unit : str or None
        The unit as the file wrote it; None where it wrote none.
    pixel_size_x_nm, pixel_size_y_nm : float
        Scan size divided by the number of pixels.
    """

    label: str
    quantity: str
    values: FloatArray
    unit: str | None
    pixel_size_x_nm: float
    pixel_size_y_nm: float


@dataclass(frozen=True)
class DiffractionStack:
    """Diffraction patterns of a scan, left in their file until somebody asks for some of them.

    Parameters
    ----------
    shape : tuple of int
        (scan Y, scan X, detector Y, detector X); scan Y is the slow axis, detector row 0 the first row of a frame as
        the file has it. How the detector lies to the scan is not known here.
    dtype : str
        As stored, in numpy's words.
    open : callable
        () -> array-like of `shape`, mapped from the file and not copied; indexing with integers and slices gives
        ndarrays.
    largest_value : float or None
        The largest number the detector can count; a pixel at it is saturated. None where the file does not say.
    """

    shape: tuple[int, int, int, int]
    dtype: str
    open: Callable[[], Any]
    largest_value: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One instrument file, read.

    Parameters
    ----------
    format : str
        Name of the format, as in `Format.name`.
    scans : tuple of Scan
        One-dimensional data.
    channels : tuple of Channel
        Two-dimensional data.
    technique : str or None
        The technique that the content alone gives away (``xrr``, ``xrd``, ``rsm``, ``afm``, ``kpfm``,
        ``transport``, ...); None where the content is silent.
    settings : mapping
        Everything the instrument recorded that a model may need, names with units.
    instrument, sample, operator : str or None
        As the file says.
    acquired_at : datetime or None
        Start of the measurement as the instrument's clock had it (naive when the file gives no zone).
    notes : tuple of str
        What the reader did to the numbers, in sentences: attenuators applied, counts divided by time.
    diffraction : DiffractionStack or None
        Four-dimensional data.
    """

    format: str
    scans: tuple[Scan, ...] = ()
    channels: tuple[Channel, ...] = ()
    technique: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    instrument: str | None = None
    sample: str | None = None
    operator: str | None = None
    acquired_at: datetime | None = None
    notes: tuple[str, ...] = ()
    diffraction: DiffractionStack | None = None


@dataclass(frozen=True)
class HeaderFile:
    """A file that the instrument writes beside its data and that says what the data cannot.

    Parameters
    ----------
    ending, data_ending : str
        Endings of the two names, lower case (``.xml``, ``.raw``).
    read : callable
        (content, name of the header, name of the data file) -> what the header says, names with units, as JSON values;
        None where it belongs to another file. It never raises.
    """

    ending: str
    data_ending: str
    read: Callable[[bytes, str, str], Mapping[str, object] | None]


@dataclass(frozen=True)
class Format:
    """A file format: how to know it, and how to read it.

    Parameters
    ----------
    name : str
        Short and lower case: ``rigaku-ras``.
    description : str
        Vendor, program and endings, for `rutile inspect` and the docs.
    recognises : callable
        (head, name) -> True when the first 4096 bytes (and, for formats without a signature, the ending of the
        name) are of this format. It never raises.
    read : callable
        Source -> Measurement; raises `UnreadableFile` and nothing else for any bytes whatever.
    header : HeaderFile or None
        The file beside it, if there is one; `Source.declared` holds what it says under `INSTRUMENT_HEADER`.
    """

    name: str
    description: str
    recognises: Callable[[bytes, str], bool]
    read: Callable[[Source], Measurement]
    header: HeaderFile | None = None
