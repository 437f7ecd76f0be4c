"""Gwyddion .gwy containers, through gwyfile."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import gwyfile
import numpy as np

from rutile_assets.errors import UnreadableFile, WrongContent
from rutile_assets.formats.measurement import Channel, Format, Measurement, Source
from rutile_assets.formats.text import truncated

# unit in the file -> (our suffix, factor)
_UNITS = {"m": ("nm", 1e9), "V": ("v", 1.0), "mV": ("v", 1e-3), "deg": ("deg", 1.0), "rad": ("deg", 180.0 / np.pi)}
_POTENTIAL = re.compile(r"cpd|potential|kpfm|surface voltage", re.IGNORECASE)
_HEIGHT = re.compile(r"topo|height|z.?sensor", re.IGNORECASE)


def read(source: Source) -> Measurement:
    """Read every channel; units come from the container, never from the size of the numbers."""
    data = source.read()
    name_end = data.find(b"\0", 4, 64)
    if name_end < 0 or len(data) < name_end + 5 + int.from_bytes(data[name_end + 1 : name_end + 5], "little"):
        raise truncated(source, f"{len(data)} bytes", "the size that the container promises")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            container = gwyfile.load(io.BytesIO(data))
    except Exception as fault:  # gwyfile raises what struct and numpy happen to raise
        raise truncated(source, f"a container that breaks off ({type(fault).__name__})", "a whole .gwy") from fault
    numbers = sorted({int(m.group(1)) for key in container if (m := re.match(r"^/(\d+)/data$", key))})
    if not numbers:
        raise WrongContent("no image in the container", "channels /0/data ...", "Save the images.", source.name)
    channels = tuple(_channel(source, container, number) for number in numbers)
    quantities = {c.quantity for c in channels}
    return Measurement(
        format=FORMAT.name,
        channels=channels,
        technique="kpfm" if "potential_v" in quantities else "afm" if "height_nm" in quantities else None,
        settings={"saved_as": str(container.get("/filename", "")) or None},
        instrument=None,
        notes=("Gwyddion's rows run from the top; units are the container's own.",),
    )


def _channel(source: Source, container: Any, number: int) -> Channel:
    field = container[f"/{number}/data"]
    title = str(container.get(f"/{number}/data/title", f"channel {number}"))
    try:
        width, height = int(field["xres"]), int(field["yres"])
        values = np.asarray(field["data"], dtype=np.float64).reshape(height, width)
        size_x, size_y = float(field["xreal"]), float(field["yreal"])
        unit = str(dict(field["si_unit_z"]).get("unitstr", "")) if "si_unit_z" in field else ""
        lateral = str(dict(field["si_unit_xy"]).get("unitstr", "")) if "si_unit_xy" in field else ""
    except (KeyError, TypeError, ValueError) as fault:
        raise UnreadableFile(
            f"channel {title!r} without {fault}", "a whole data field", "Save it again.", source.name
        ) from fault
    if lateral != "m" or not (size_x > 0 and size_y > 0):
        raise WrongContent(f"a scan size in {lateral!r}", "metres", "Set the lateral unit in Gwyddion.", source.name)
    suffix, factor = _UNITS.get(unit, ("", 1.0))
    kind = "potential" if suffix == "v" and _POTENTIAL.search(title) else None
    kind = kind or ("height" if suffix == "nm" and _HEIGHT.search(title) else re.sub(r"\W+", "_", title.lower()))
    quantity = f"{kind}_{suffix}" if suffix else kind
    return Channel(title, quantity, values * factor, unit or None, size_x * 1e9 / width, size_y * 1e9 / height)


FORMAT = Format("gwyddion", "Gwyddion container (.gwy)", lambda head, name: head.startswith(b"GWYP"), read)
