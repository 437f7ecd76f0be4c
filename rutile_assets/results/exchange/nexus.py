"""NeXus for what has an application definition that our files can fill honestly.

Reflectivity: NXrefscan. Diffraction: NXxrd (contributed, on NXmonopd). Photoelectrons: NXmpes, where the instrument is
an analyser whose scheme is known. A file that lacks what a definition asks for (its time, counts, counting time) is
not written. Images have no definition that they fill; they travel as they came and as Zarr.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import h5py
import numpy as np
import pandas as pd

from rutile_assets import __version__
from rutile_assets.provenance.crate.selection import Selection
from rutile_assets.provenance.crate.write import Extra
from rutile_assets.results.exchange.measured import Measured, measured

KEV_ANGSTROM = 12.398419843320026  # h c, exact in the SI of 2019
HEMISPHERICAL = ("phoibos", "scienta", "r3000", "r4000", "ew4000", "da30", "ea125", "argus", "hemispherical")
NXMPES_VERSION = "v2026.01"
_COUNTED = ("detected_counts", "counting_time_s")


def nexus_files(selection: Selection) -> Iterator[Extra]:
    """Write each file of reflectivity, diffraction and photoelectrons that fills its definition, a scan an entry."""
    for table, definition, write in (
        ("xrr_scan", "NXrefscan", _refscan), ("xrd_scan", "NXxrd", _xrd), ("ups_spectrum", "NXmpes", _mpes),
    ):  # fmt: skip
        for file in measured(selection, table):
            scans = [rows for _, rows in file.points.groupby("scan_index", sort=True)]
            whole = all(rows[name].notna().all() for rows in scans for name in _COUNTED) and _are_whole(file.points)
            if file.acquired_at is None or not whole or (write is _mpes and not _is_known_analyser(file)):
                continue
            sink = io.BytesIO()
            with h5py.File(sink, "w") as root:
                root.attrs["NX_class"] = "NXroot"
                root.attrs["default"] = "scan_1"
                root.attrs["creator"] = f"rutile_assets {__version__}"
                for place, rows in enumerate(scans, 1):
                    write(_entry(root, f"scan_{place}", definition, file, rows), file, rows)
            yield Extra(file.out(".nxs"), sink.getvalue(), f"{file.place} as NeXus, {definition}")


def _entry(root: Any, name: str, definition: str, file: Measured, rows: pd.DataFrame) -> Any:
    assert isinstance(file.acquired_at, datetime)
    end = file.acquired_at + timedelta(seconds=float(rows.counting_time_s.sum()))
    entry = _group(root, name, "NXentry", title=file.title, definition=definition,
                   start_time=file.acquired_at.isoformat(), end_time=end.isoformat())  # fmt: skip
    entry.attrs["default"] = "data"
    _group(entry, "raw_file", "NXnote", file_name=file.place, description=f"sha256 {file.sha256}")
    return entry


def _refscan(entry: Any, file: Measured, rows: pd.DataFrame) -> None:
    angle = _array(rows, "two_theta_deg")
    instrument = _instrument(entry, file)
    _group(instrument, "monochromator", "NXmonochromator", wavelength=(file.wavelength_angstrom, "angstrom"))
    _detector(instrument, rows)
    _group(entry, "sample", "NXsample", name=file.growth_id, rotation_angle=(angle / 2.0, "deg"))
    time = _array(rows, "counting_time_s")
    _group(entry, "control", "NXmonitor", mode="timer", preset=(float(time[0]), "s"), data=(time, "s"))
    _data(entry, "polar_angle", rotation_angle="sample/rotation_angle", polar_angle="instrument/detector/polar_angle")


def _xrd(entry: Any, file: Measured, rows: pd.DataFrame) -> None:
    angle = _array(rows, "two_theta_deg")
    instrument = _instrument(entry, file)
    _group(instrument, "crystal", "NXcrystal", wavelength=(file.wavelength_angstrom, "angstrom"))
    _group(instrument, "beam", "NXbeam", incident_energy=(KEV_ANGSTROM / file.wavelength_angstrom, "keV"))
    _detector(instrument, rows)
    _group(entry, "sample", "NXsample", name=file.growth_id, rotation_angle=(angle / 2.0, "deg"))
    time = _array(rows, "counting_time_s")
    _group(entry, "control", "NXmonitor", mode="timer", preset=(float(time[0]), "s"), integral=(float(time.sum()), "s"))
    _data(entry, "polar_angle", polar_angle="instrument/detector/polar_angle")


def _mpes(entry: Any, file: Measured, rows: pd.DataFrame) -> None:
    entry["definition"].attrs["version"] = NXMPES_VERSION
    entry["method"] = "ultraviolet photoelectron spectroscopy (UPS)"
    instrument = _group(entry, "instrument", "NXinstrument", name=file.instrument)
    photon = file.settings.get("photon_energy_ev")
    energy = float(str(photon)) if photon else np.nan
    _group(instrument, "beam_probe", "NXbeam", incident_energy=(energy, "eV"))
    analyser = _group(instrument, "electronanalyzer", "NXelectronanalyzer", description=file.instrument)
    _group(analyser, "collectioncolumn", "NXcollectioncolumn", scheme="non-dispersive")
    _group(analyser, "energydispersion", "NXenergydispersion", scheme="hemispherical")
    _group(analyser, "electron_detector", "NXelectron_detector")
    _group(entry, "sample", "NXsample", name=str(rows.region.iloc[0]) if "region" in rows else file.growth_id)
    axis = "kinetic_energy_ev" if rows.kinetic_energy_ev.notna().all() else "binding_energy_ev"
    data = _group(entry, "data", "NXdata", data=(_counts(rows), "counts"), energy=(_array(rows, axis), "eV"))
    data.attrs["signal"] = "data"
    data.attrs["axes"] = ["energy"]
    data["energy"].attrs["type"] = "kinetic" if axis.startswith("kinetic") else "binding"


def _instrument(entry: Any, file: Measured) -> Any:
    instrument = _group(entry, "instrument", "NXinstrument", name=file.instrument or "unknown")
    source = {"type": "Fixed Tube X-ray", "name": file.instrument or "unknown", "probe": "x-ray"}
    _group(instrument, "source", "NXsource", **source)
    return instrument


def _detector(instrument: Any, rows: pd.DataFrame) -> None:
    """Write counts as the detector saw them; where attenuators stood, how much they let through."""
    angle = _array(rows, "two_theta_deg")
    _group(instrument, "detector", "NXdetector", data=(_counts(rows), "counts"), polar_angle=(angle, "deg"))
    factor = rows.attenuation_factor.fillna(1.0).to_numpy(dtype=float)
    _group(instrument, "attenuator", "NXattenuator", attenuator_transmission=(1.0 / factor, ""))


def _data(entry: Any, axis: str, **links: str) -> None:
    data = _group(entry, "data", "NXdata")
    for name, target in {"data": "instrument/detector/data", **links}.items():
        data[name] = entry[target]
        entry[target].attrs["target"] = entry[target].name
    data.attrs["signal"] = "data"
    data.attrs["axes"] = [axis]


def _group(parent: Any, name: str, nx_class: str, /, **fields: Any) -> Any:
    """Make a group with its class and fields; a pair is a value with its unit."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    for field, given in fields.items():
        value, unit = given if isinstance(given, tuple) else (given, None)
        group.create_dataset(field, data=value)
        if unit is not None:
            group[field].attrs["units"] = unit
    return group


def _are_whole(rows: pd.DataFrame) -> bool:
    """Tell whether counts are counts: some instruments write rates and call them so."""
    counts = rows.detected_counts.to_numpy(dtype=float)
    return bool(np.allclose(counts, np.rint(counts), rtol=0.0, atol=1e-6))


def _counts(rows: pd.DataFrame) -> Any:
    return np.rint(_array(rows, "detected_counts")).astype(np.int64)


def _array(rows: pd.DataFrame, name: str) -> Any:
    return rows[name].to_numpy(dtype=float)


def _is_known_analyser(file: Measured) -> bool:
    """Tell whether the instrument's name says how its analyser works, and the photons' energy is known."""
    name = (file.instrument or "").lower()
    return any(word in name for word in HEMISPHERICAL) and bool(file.settings.get("photon_energy_ev"))
