"""Small whole files of every vendor format, written from the formats' own layouts for tests of the readers."""

from __future__ import annotations

import bz2
import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from small_images import IMAGES
from small_spectra import SPECTRA

TWO_THETA = [0.5, 0.6, 0.7, 0.8]
COUNTS = [400, 100, 25, 9]


def rasx(
    profiles: Sequence[Sequence[tuple[float, float, float]]] | None = None,
    *,
    axis: str = "TwoThetaOmega",
    extra: Mapping[str, bytes] | None = None,
) -> bytes:
    """A .rasx of one profile (or several at rising omega), at 0.6 s a point."""
    profiles = profiles or [[(a, c, 1.0) for a, c in zip(TWO_THETA, COUNTS, strict=True)]]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, rows in enumerate(profiles):
            text = "".join(f"{a:.4f}\t{c:g}\t{k:g}\r\n" for a, c, k in rows)
            archive.writestr(f"Data{i}/Profile{i}.txt", "\ufeff" + text)
            archive.writestr(
                f"Data{i}/MesurementConditions{i}.xml",
                "<MeasurementConditions><GeneralInformation><SampleName>s</SampleName></GeneralInformation>"
                f'<Axes><Axis Name="Omega" Unit="deg" Position="{i * 0.1:.4f}"/></Axes>'
                f"<ScanInformation><AxisName>{axis}</AxisName><Speed>1.0</Speed><SpeedUnit>deg/min</SpeedUnit>"
                f"<Step>0.01</Step><IntensityUnit>counts</IntensityUnit><DataCount>{len(rows)}</DataCount>"
                "<StartTime>2025-03-14T10:20:00Z</StartTime></ScanInformation></MeasurementConditions>",
            )
        listed = "".join(f'<Data{i} Type="Profile"/>' for i in range(len(profiles)))
        archive.writestr("root.xml", f'<Root Version="1.1.0.0">{listed}</Root>')
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return sink.getvalue()


def ras(rows: Sequence[str] = ("0.5 400 1", "0.6 100 1", "0.7 25 10"), count: int | None = None) -> bytes:
    return (
        '*RAS_DATA_START\r\n*RAS_HEADER_START\r\n*FILE_SAMPLE "s"\r\n*MEAS_SCAN_AXIS_X "TwoThetaOmega"\r\n'
        f'*MEAS_DATA_COUNT "{len(rows) if count is None else count}"\r\n*MEAS_SCAN_SPEED "2"\r\n'
        '*MEAS_SCAN_SPEED_UNIT "sec/step"\r\n*MEAS_SCAN_STEP "0.1"\r\n*MEAS_SCAN_UNIT_Y "counts"\r\n'
        "*RAS_HEADER_END\r\n*RAS_INT_START\r\n" + "\r\n".join(rows) + "\r\n*RAS_INT_END\r\n*RAS_DATA_END\r\n"
    ).encode()


def asc() -> bytes:
    return (
        b"*TYPE\t\t=  Raw\r\n*CLASS\t\t=  ASCII CLASS\r\n*GROUP_COUNT\t=  1\r\n*COUNTER\t=  SC-70, 0\r\n"
        b"*SCAN_AXIS\t=  2theta/theta\r\n*SPEED_DIM\t=  sec./step\r\n*YUNIT\t\t=  counts\r\n*BEGIN\r\n"
        b"*START\t\t=  4\r\n*STOP\t\t=  4.5\r\n*STEP\t\t=  0.1\r\n*SPEED\t\t=  0.5\r\n*COUNT\t\t=  6\r\n1, 2, 3, 4\r\n"
        b"5, 6\r\n*END\r\n\r\n*EOF\r\n"
    )


def xrdml(
    values: str = "14800 296 3 2",
    factors: str | None = "148 148 1 1",
    *,
    tag: str = "intensities",
    axis: str = "2Theta-Omega",
    extra: str = "",
) -> bytes:
    attenuation = f"<beamAttenuationFactors>{factors}</beamAttenuationFactors>" if factors else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.3" status="Completed"><sample><id>s</id>'
        '</sample><xrdMeasurement><usedWavelength intended="K-Alpha 1"><kAlpha1 unit="Angstrom">1.5405980</kAlpha1>'
        f'</usedWavelength><scan scanAxis="{axis}" status="Completed"><header>'
        "<startTimeStamp>2020-07-21T18:34:21+10:00</startTimeStamp></header><dataPoints>"
        '<positions axis="2Theta" unit="deg"><startPosition>0.2</startPosition>'
        '<endPosition>0.8</endPosition></positions><positions axis="Omega" unit="deg">'
        f"<startPosition>0.1</startPosition><endPosition>0.4</endPosition></positions>{attenuation}{extra}"
        f'<commonCountingTime unit="seconds">2</commonCountingTime><{tag} unit="counts">{values}</{tag}>'
        "</dataPoints></scan></xrdMeasurement></xrdMeasurements>\n"
    ).encode()


def xrdml_bz2() -> bytes:
    return bz2.compress(xrdml())


def nanoscope(
    layers: Sequence[tuple[str, np.ndarray, str, str]] | None = None,
    *,
    version: str = "0x09400103",
    said_bytes: int = 4,
    stored_bytes: int = 4,
    scan_size: str = "1 1 ~m",
    changes: Mapping[str, str] | None = None,
) -> bytes:
    """An image file; a layer is (name, integers (Y, X) bottom row first, Z scale, its sensitivity or '')."""
    if layers is None:
        layers = [("Height Sensor", np.arange(12).reshape(3, 4) - 6, "65.536 V", "ZsensSens")]
    head = [
        "\\*File list",
        f"\\Version: {version}",
        "\\Date: 11:43:26 AM Wed Jun 22 2016",
        "\\Data length: 40960",
        "\\*Scanner list",
        "\\@Sens. ZsensSens: V 10.00000 nm/V",
        "\\*Ciao scan list",
        "\\Scan rate: 1.0",
        '\\@MicroscopeList: S [PeakForce] "PeakForce"',
        "\\@Sens. Potential: V 1000.000 mV/V",
    ]
    blobs = []
    offset = 8192
    for name, raw, value, sensitivity in layers:
        blob = np.asarray(raw).astype(f"<i{stored_bytes}").tobytes()
        label = f"[Sens. {sensitivity}] " if sensitivity else ""
        head += [
            "\\*Ciao image list",
            f"\\Data offset: {offset}",
            f"\\Data length: {len(blob)}",
            f"\\Bytes/pixel: {said_bytes}",
            f"\\Samps/line: {np.shape(raw)[1]}",
            f"\\Number of lines: {np.shape(raw)[0]}",
            "\\Aspect Ratio: 1:1",
            f"\\Scan Size: {scan_size}",
            "\\Line Direction: Trace",
            f'\\@2:Image Data: S [{name.replace(" ", "")}] "{name}"',
            f"\\@2:Z scale: V {label}(0.006713867 V/LSB) {value}",
            f"\\@2:Z offset: V {label}(0.006713867 V/LSB) 0 V",
        ]
        blobs.append(blob)
        offset += len(blob)
    text = "\r\n".join([*head, "\\*File list end", "\x1a"])
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    return text.encode("latin-1").ljust(8192, b"\0") + b"".join(blobs)


def ibw(
    maps: Mapping[str, np.ndarray] | None = None, note: str | None = None, footer: bytes = b"x 0012 MFP3D"
) -> bytes:
    """An Asylum wave of maps (Y, X), row 0 the top; stored (x, y, channel) with y upwards, x fastest."""
    if maps is None:
        maps = {
            "HeightRetrace": np.arange(12.0).reshape(3, 4) * 1e-9,
            "NapPotentialRetrace": np.arange(12.0).reshape(3, 4),
        }
    rows, columns = next(iter(maps.values())).shape
    stack = np.stack([np.flipud(m).T for m in maps.values()], axis=2).astype("<f4")
    text = "ScanSize: 4e-06\rFastScanSize: 4e-06\rSlowScanSize: 3e-06\rMicroscopeModel:MFP3D\rNapMode:Nap\r"
    text += "Date:2025-03-14\rTime:3:52:01 PM\r"
    note_bytes = (text if note is None else note).encode("latin-1")
    labels = b"".join(name.encode().ljust(32, b"\0") for name in ["", *maps])
    data = stack.tobytes(order="F")
    shape, steps = (columns, rows, len(maps), 0), (1e-9, 1e-9, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    wave = struct.pack("<iIIihh6xh32sii4i8d", 0, 0, 0, stack.size, 2, 0, 1, b"image", 0, 0, *shape, *steps)
    wave = wave.ljust(320, b"\0")
    sizes = (320 + len(data), 0, len(note_bytes), 0, 0, 0, 0, 0, 0, 0, len(labels), 0, 0, 0, 0)

    def header(checksum: int) -> bytes:
        return struct.pack("<hh15i", 5, checksum, *sizes)

    total = int(np.frombuffer(header(0) + wave, "<i2").sum(dtype=np.int64))
    checksum = (-total + 2**15) % 2**16 - 2**15
    return header(checksum) + wave + data + note_bytes + labels + footer


def gwy_component(name: str, code: str, payload: bytes) -> bytes:
    return name.encode() + b"\0" + code.encode() + payload


def gwy_object(name: str, *components: bytes) -> bytes:
    body = b"".join(components)
    return name.encode() + b"\0" + struct.pack("<I", len(body)) + body


def gwy(unit: str = "mV", title: str = "CPD", values: np.ndarray | None = None) -> bytes:
    values = np.arange(12.0).reshape(3, 4) if values is None else values
    rows, columns = values.shape
    field = gwy_object(
        "GwyDataField",
        gwy_component("xres", "i", struct.pack("<i", columns)),
        gwy_component("yres", "i", struct.pack("<i", rows)),
        gwy_component("xreal", "d", struct.pack("<d", 4e-6)),
        gwy_component("yreal", "d", struct.pack("<d", 3e-6)),
        gwy_component("si_unit_xy", "o", gwy_object("GwySIUnit", gwy_component("unitstr", "s", b"m\0"))),
        gwy_component("si_unit_z", "o", gwy_object("GwySIUnit", gwy_component("unitstr", "s", unit.encode() + b"\0"))),
        gwy_component("data", "D", struct.pack("<I", values.size) + values.astype("<f8").tobytes()),
    )
    return b"GWYP" + gwy_object(
        "GwyContainer",
        gwy_component("/0/data", "o", field),
        gwy_component("/0/data/title", "s", title.encode() + b"\0"),
        gwy_component("/0/list", "S", struct.pack("<I", 2) + b"a\0b\0"),
    )


def multivu_resistivity(units: tuple[str, str] = ("Ohm", "Ohms"), last: str = "") -> bytes:
    """As PPMS MultiVu writes it: data rows have fewer columns than the title row, labels typed by the operator."""
    title = (
        "Comment,Time Stamp (sec),Status (code),Temperature (K),Magnetic Field (Oe),Sample Position (deg),"
        f"Bridge 1 Resistivity ({units[0]}),Bridge 1 Excitation (uA),Bridge 2 Resistivity (Ohm-m),"
        f"Bridge 2 Excitation (uA),Bridge 1 Std. Dev. ({units[0]}),Bridge 2 Std. Dev. (Ohm-m),Number of Readings,"
        f"Bridge 1 Resistance ({units[1]}),Bridge 2 Resistance (Ohms),Signal 1 Vin (V),Pressure (),Map 20 ()"
    )
    rows = [
        ",30423338.25,4385,2.0005,-10000,0,0.4665,19.98,,,0.0141,,25,0.4665,,",
        "field, then temperature,,,,,,,,,,,,,,,",
        ",30423386.59,4369,2.0005,1.0E+004,0,,,2E-006,19.98,,1E-008,25,,0.2222,",
        last or ",30423400.59,4369,2.0005,5.0E+003,0,0.5,19.98,,,0.01,,25,0.5,,",
    ]
    header = (
        "[Header]\nTITLE, a film\nFILEOPENTIME,30422650.78,12/18/2024,10:42 AM\nBYAPP, Resistivity, 2.1, 1.0\n"
        "INFO, APPNAME, PPMS MultiVu Application, 1.5.11\nINFO, TMR, Sample1 Name\nINFO, Hall, Sample2 Name\n[Data]\n"
    )
    return (header + title + "\n" + "\n".join(rows) + "\n").encode()


def multivu_eto() -> bytes:
    return (
        b"[Header]\r\nTITLE,t\r\nFILEOPENTIME,3724934400.00,06/10/2022,11:02 am\r\n"
        b"BYAPP,Electrical Transport Option,1.0.2.2\r\n[Data]\r\n"
        b"Comment,Time Stamp (s),Temperature (K),Field (Oe),Sample Position (deg),Chamber Pressure (Torr),"
        b"Resistance Ch1 (Ohms),Resistance Std. Dev. Ch1 (Ohms),Phase Angle Ch1 (deg),Frequency Ch1 (Hz),"
        b"AC Current Ch1 (mA),Gain Ch1,Resistance Ch2 (Ohms),AC Current Ch2 (mA),ETO Status Code\r\n"
        b",1,300,90000,0,9,101.5,0.01,0.1,21.3,0.5,100,,,5\r\n"
        b",2,300,80000,0,9,,,,,,,7.25,0.25,5\r\n"
    )


def source_text() -> bytes:
    return (
        b"Sample name: s\r\nTemperature (K)\tField (kOe)\tSource (uA)\tSense (mV)\tConfiguration\r\n"
        b"300\t10\t5\t0.5\t0\r\nNew Temperature\t\r\n5.0\t-10\t-5\t-0.25\t3\r\n"
    )


def growth_log_one() -> bytes:
    return b"Elapsed time [s]\tValue [250,1250]\r\n0.000\t250.0000\r\n33.891\t249.8470\r\n35.899\t300.5\r\n"


def growth_log_table() -> bytes:
    return (
        b"# chamber 2\nElapsed [min],Substrate.Pyrometer [C] [250,1250],Gauge pressure [mbar],Ru.Shutter\n"
        b"0,250,1e-6,closed\n0.5,,2e-6,open\n1.0,300.5,3e-6,closed\n"
    )


def ksa(frames: int = 1, width: int = 4, height: int = 3) -> bytes:
    header = bytearray(640)
    header[39:45], header[49:51], header[321:323] = b"KSA00F", width.to_bytes(2, "big"), height.to_bytes(2, "big")
    counts = np.arange(width * height, dtype="<u2")
    return b"".join(bytes(header) + (counts + number).tobytes() for number in range(frames))


def xy() -> bytes:
    return b"# 2Theta Omega\tIntensity (counts)\n0.5\t400\n0.6\t100\n0.7\t25\n"


SMALL: dict[str, bytes] = {
    "a.rasx": rasx(),
    "a.ras": ras(),
    "a.asc": asc(),
    "a.xrdml": xrdml(),
    "a.xrdml.bz2": xrdml_bz2(),
    "a.spm": nanoscope(),
    "a.ibw": ibw(),
    "a.gwy": gwy(),
    "r.dat": multivu_resistivity(),
    "e.dat": multivu_eto(),
    "s.txt": source_text(),
    "a.xy": xy(),
    "Gauge.Measured.txt": growth_log_one(),
    "log.csv": growth_log_table(),
    "Image107.img": ksa(),
    **SPECTRA,
    **IMAGES,
}
