"""Small whole images of electron microscopes, written from the formats' own layouts for tests of the readers."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence

import h5py
import numpy as np
from PIL import Image, TiffImagePlugin

IMAGE = np.arange(12, dtype="<u2").reshape(3, 4) + 100
DM_TYPES = {"u2": (4, 10), "i4": (3, 7), "f4": (6, 2), "u1": (10, 6), "f8": (7, 12)}


def dm(
    version: int = 3,
    image: np.ndarray | None = None,
    *,
    scale: float = 0.025,
    unit: str = "nm",
    order: str = "<",
    name: str = "HAADF",
    claimed: Sequence[int] | None = None,
) -> bytes:
    """A DigitalMicrograph file of a thumbnail and an image (Y, X) or a series (N, Y, X)."""
    image = IMAGE if image is None else image
    length = ">q" if version == 4 else ">i"

    def words(*numbers: int) -> bytes:
        return b"".join(struct.pack(length, n) for n in numbers)

    def tag(label: str, kind: int, body: bytes) -> bytes:
        size = words(len(body)) if version == 4 else b""
        return bytes([kind]) + struct.pack(">H", len(label)) + label.encode("latin-1") + size + body

    def group(**tags: bytes | tuple[bytes, ...]) -> bytes:
        return group_of([(label, body) for label, body in tags.items()])

    def group_of(tags: Sequence[tuple[str, bytes]]) -> bytes:
        body = b"".join(tag(label.replace("_", " "), 20 if raw[:1] == b"G" else 21, raw[1:]) for label, raw in tags)
        return b"G" + b"\1\0" + words(len(tags)) + body

    def value(code: int, layout: str, number: float) -> bytes:
        return b"D%%%%" + words(1, code) + struct.pack(order + layout, number)

    def text(content: str) -> bytes:
        raw = content.encode("utf-16-le" if order == "<" else "utf-16-be")
        return b"D%%%%" + words(3, 20, 4, len(content)) + raw

    def pixels(values: np.ndarray) -> bytes:
        code, _ = DM_TYPES[values.dtype.str[1:]]
        raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
        return b"D%%%%" + words(3, 20, code, values.size) + raw

    def picture(values: np.ndarray, label: str, sides: Sequence[int]) -> bytes:
        dimension = group(Origin=value(6, "f", 0.0), Scale=value(6, "f", scale), Units=text(unit))
        data = group(
            Calibrations=group(Dimension=group_of([("", dimension)] * 2)),
            Data=pixels(values),
            DataType=value(3, "i", DM_TYPES[values.dtype.str[1:]][1]),
            Dimensions=group_of([("", value(3, "i", n)) for n in sides]),
        )
        tags = group(
            DataBar=group(Acquisition_Date=text("27.08.2016"), Acquisition_Time=text("20:54:33")),
            DigiScan=group(Rotation=value(7, "d", 45.0), Sample_Time=text("3,5")),
            Microscope_Info=group(Voltage=value(7, "d", 2e5), Stage=b"D%%%%" + words(7, 15, 0, 2, 0, 3, 0, 3)
                                  + struct.pack(order + "2i", 1, 2)),
        )  # fmt: skip
        return group(ImageData=data, ImageTags=tags, Name=text(label))

    sides = image.shape[::-1] if claimed is None else claimed
    images = [picture(np.zeros((2, 2), "i4"), "thumbnail", (2, 2)), picture(image, name, sides)]
    tree = group(ImageList=group_of([("", one) for one in images]), InImageMode=value(8, "B", 1))[1:]
    return struct.pack(">i", version) + words(len(tree)) + struct.pack(">i", int(order == "<")) + tree + b"\0" * 8


def ser(
    images: Sequence[np.ndarray] = (IMAGE, IMAGE + 1),
    *,
    wide: bool = True,
    step_m: float = 2.5e-11,
    kind: int = 0x4122,
    scan: Sequence[int] | None = None,
    changes: Mapping[int, bytes] | None = None,
) -> bytes:
    """A TIA series; the rows of the images are written upwards."""
    word = "q" if wide else "i"
    head = struct.pack("<HHHiiii", 0x4949, 0x0197, 0x0220 if wide else 0x0210, kind, 0x4152, len(images), len(images))
    sizes = [len(images)] if scan is None else scan
    dimension = b"".join(
        struct.pack("<iddii", size, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<i", 0) for size in sizes
    )
    places_at = len(head) + struct.calcsize(f"<{word}i") + len(dimension)
    at = places_at + 2 * len(images) * struct.calcsize(f"<{word}")
    blobs, places = [], []
    for image in images:
        code = {"u2": 2, "f4": 7, "i4": 6, "c8": 9}[image.dtype.str[1:]]
        height, width = image.shape
        blob = struct.pack("<ddiddihii", 0.0, step_m, 0, 0.0, step_m, 0, code, width, height)
        blob += image[::-1].tobytes()
        places.append(at)
        blobs.append(blob)
        at += len(blob)
    tags = [at + 8 * i for i in range(len(images))]
    blobs += [struct.pack("<Hxxi", 0x4152, 1319000000 + i) for i in range(len(images))]
    content = (
        head
        + struct.pack(f"<{word}i", places_at, len(sizes))
        + dimension
        + struct.pack(f"<{2 * len(images)}{word}", *places, *tags)
    )
    content += b"".join(blobs)
    for place, raw in (changes or {}).items():
        content = content[:place] + raw + content[place + len(raw) :]
    return content


def emi(body: str = "<AcceleratingVoltage>80000</AcceleratingVoltage><DwellTimePath>0.000025</DwellTimePath>") -> bytes:
    return b"JK\x00\x02\0\0\0\0 binary " + f"<ObjectInfo>{body}</ObjectInfo>".encode() + b"\0\1"


def tif(
    images: Sequence[np.ndarray] = (IMAGE,),
    description: str = "ImageJ=1.53\nunit=nm\n",
    per_unit: float = 40.0,
    **how: str,
) -> bytes:
    """A TIFF of a page or several, 40 pixels a nm."""
    sink = io.BytesIO()
    first, *rest = [Image.fromarray(image) for image in images]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[282], tags[283] = description, per_unit, per_unit
    first.save(sink, "TIFF", save_all=bool(rest), append_images=rest, tiffinfo=tags, **how)
    return sink.getvalue()


def velox(
    stacks: Mapping[str, np.ndarray] | None = None, *, texts: Sequence[str] | None = None, pixel_m: str = "2.5e-11"
) -> bytes:
    """A Velox file: detector -> (Y, X, frames), each frame 45 degrees on."""
    stacks = {"BF": IMAGE[..., None], "HAADF": np.stack([IMAGE, IMAGE + 1], axis=2)} if stacks is None else stacks
    sink = io.BytesIO()
    with h5py.File(sink, "w") as file:
        for number, (detector, stack) in enumerate(stacks.items()):
            group = file.create_group(f"Data/Image/{number:032x}")
            group.create_dataset("Data", data=stack, chunks=(*stack.shape[:2], 1) if stack.size else None)
            told = texts or [
                json.dumps(
                    {
                        "BinaryResult": {
                            "Detector": detector,
                            "PixelSize": {"width": pixel_m, "height": pixel_m},
                            "PixelUnitX": "m",
                            "PixelUnitY": "m",
                        },
                        "Scan": {"ScanRotation": str(np.deg2rad(45.0 * frame)), "DwellTime": "2e-06"},
                        "Optics": {"AccelerationVoltage": "200000"},
                    }
                )
                for frame in range(stack.shape[2])
            ]
            raw = np.zeros((max([2000, *(len(t) + 1 for t in told)]), len(told)), "u1")
            for frame, text in enumerate(told):
                raw[: len(text), frame] = np.frombuffer(text.encode(), "u1")
            group.create_dataset("Metadata", data=raw)
    return sink.getvalue()


IMAGES: dict[str, bytes] = {"a.dm3": dm(3), "a.dm4": dm(4), "a.ser": ser(), "a.tif": tif()}
