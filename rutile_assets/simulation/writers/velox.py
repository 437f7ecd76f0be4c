"""Thermo Fisher's Velox .emd: HDF5 with an array (Y, X, frames) of a detector and a JSON text for each frame."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import h5py
import numpy as np
import numpy.typing as npt

from rutile_assets.simulation.writers.scan import Header

IMAGE = "0123456789abcdef0123456789abcdef"
EPOCH = datetime(1970, 1, 1)


def write(
    frames: npt.NDArray[np.float64],
    header: Header,
    *,
    pixel_nm: float,
    rotations_deg: Sequence[float],
    dwell_ms: float,
    line_ms: float,
    frame_s: float,
    voltage_kv: float = 200.0,
) -> bytes:
    """Return the file of a HAADF series.

    Parameters
    ----------
    frames : ndarray
        (K, Y, X) counts.
    header : Header
        Sample, operator, start.
    pixel_nm : float
        As the microscope believes it [nm].
    rotations_deg : sequence of float
        (K) of the scan [deg].
    dwell_ms, line_ms, frame_s : float
        Time of a pixel, from line to line [ms], from frame to frame [s].
    voltage_kv : float
        [kV].
    """
    texts = []
    for number, angle in enumerate(rotations_deg):
        start = header.started_at.replace(tzinfo=None) + timedelta(seconds=number * frame_s)
        seconds = round((start - EPOCH).total_seconds())
        told = {
            "Core": {"MetadataDefinitionVersion": "7.9"},
            "Instrument": {"InstrumentClass": "Titan", "ComputerName": header.comment},
            "Acquisition": {"AcquisitionStartDatetime": {"DateTime": str(seconds)}},
            "Optics": {"AccelerationVoltage": str(1e3 * voltage_kv), "IlluminationMode": "Probe"},
            "Sample": {"SampleId": header.sample},
            "Scan": {
                "ScanSize": {"width": str(frames.shape[2]), "height": str(frames.shape[1])},
                "DwellTime": repr(1e-3 * dwell_ms),
                "LineTime": repr(1e-3 * line_ms),
                "ScanRotation": repr(float(np.deg2rad(angle))),
            },
            "BinaryResult": {
                "Detector": "HAADF",
                "PixelSize": {"width": repr(1e-9 * pixel_nm), "height": repr(1e-9 * pixel_nm)},
                "PixelUnitX": "m",
                "PixelUnitY": "m",
            },
        }
        texts.append(json.dumps(told, indent=4).encode())
    described = np.zeros((max(len(t) for t in texts) + 1, len(texts)), np.uint8)
    for number, text in enumerate(texts):
        described[: len(text), number] = np.frombuffer(text, np.uint8)
    sink = io.BytesIO()
    with h5py.File(sink, "w") as file:
        file.create_group("Application/Velox")
        file.create_dataset("Version", data=np.array([json.dumps({"format": "Velox", "version": "1.11"}).encode()]))
        group = file.create_group(f"Data/Image/{IMAGE}")
        stack = np.moveaxis(np.clip(np.rint(frames), 0, 65535).astype("<u2"), 0, 2)
        group.create_dataset("Data", data=stack, chunks=(*stack.shape[:2], 1))
        group.create_dataset("Metadata", data=described, chunks=(described.shape[0], 1))
    return sink.getvalue()
