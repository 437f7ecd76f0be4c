"""Small whole photoelectron files of every format, written from the formats' own layouts for tests of the readers."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

COUNTS = [400, 100, 25, 900]
VAMAS_1988 = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"


def vamas_block(
    values: Sequence[object] = COUNTS,
    *,
    irregular: bool = False,
    mode: str = "NORM",
    technique: str = "UPS",
    name: str = "VB",
    axis: Sequence[str] = ("kinetic energy", "eV", "10", "0.5"),
    variables: Sequence[str] = ("counts", "d"),
    promised: int | str | None = None,
    bias: str = "-5",
    left_out: Sequence[int] = (),
    sweeps: str = "2",
) -> list[str]:
    """A block, its parameters numbered as the inclusion list numbers them; `left_out` are not written."""
    profile = mode in ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
    parameters: dict[int, list[str]] = {
        **dict(zip(range(1, 7), (["2025"], ["3"], ["14"], ["15"], ["9"], ["26"]), strict=True)),
        7: ["0"],
        8: ["2", "Casa Info Follows", "simulated"],
        9: [technique],
        10: ["7", "8"] if mode in ("MAP", "MAPDP") else [],
        11: ["3"],
        12: ["He I"],
        13: ["18", "1", "1"] if profile else [],
        14: ["21.218"],
        15: ["1E+37"],
        16: ["1E+37", "1E+37"],
        17: ["1", "1"] if mode in ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM") else [],
        18: ["0"] * 6 if mode in ("MAPSV", "MAPSVDP", "SEM") else [],
        19: ["54.7"],
        20: ["0"],
        21: ["FAT"],
        22: ["2"],
        23: ["1"] if technique == "AES diff" else [],
        24: ["1"],
        25: ["4.4"],
        26: [bias],
        27: ["1", "1"],
        28: ["0", "0"],
        29: ["Valence"],
        30: ["", "-1"],
        31: [] if irregular else list(axis),
        32: [str(len(variables) // 2), *variables],
        33: ["pulse counting"],
        34: ["0.1"],
        35: [sweeps],
        36: ["0"],
        37: ["500", "1", "1", "1", "45", "0", "continuous"] if profile else [],
        38: ["0", "0"],
        39: ["0"],
        40: ["1", "MFP Exponent", "d", "0"],
    }
    lines = [name, "a film"]
    lines += [line for number, part in sorted(parameters.items()) if number not in left_out for line in part]
    lines.append(str(len(values) if promised is None else promised))
    return [*lines, *["0", "1"] * (len(variables) // 2), *(str(value) for value in values)]


def vamas(
    *blocks: Sequence[str], mode: str = "NORM", scan: str = "REGULAR", listed: Sequence[int] = (), exclude: bool = True
) -> bytes:
    """A .vms; `listed` is the parameter inclusion or exclusion list."""
    head = [VAMAS_1988, "A lab", "An analyser", "A. Person", "an experiment", "1", "Casa Info Follows", mode, scan]
    head += [str(len(blocks) or 1)] if mode in ("MAP", "MAPDP", "NORM", "SDP") else []
    head += ["1", "4", "4"] if mode in ("MAP", "MAPDP") else []
    head += ["1", "Etch Time", "s", str(-len(listed) if exclude else len(listed)), *(str(n) for n in listed), "0"]
    head += ["0", "0", str(len(blocks) or 1)]
    body = [line for block in blocks or [vamas_block(mode=mode)] for line in block]
    return "".join(f"{line}\r\n" for line in [*head, *body, "end of experiment"]).encode()


def vamas_irregular(values: Sequence[object] = (12, 7, 11, 9, 9, 8)) -> bytes:
    block = vamas_block(values, irregular=True, variables=("Binding Energy", "eV", "Intensity", "d"))
    return vamas(block, scan="IRREGULAR")


def specs_xy(
    rows: Sequence[str] = ("100  40", "101  41", "102  39"),
    *,
    label: str = "counts/s",
    axis: str = "Kinetic Energy",
    scans: int = 1,
    promised: int = 3,
    mode: str = "FixedAnalyzerTransmission",
    export: str = "#   Separate Channel Data:    no\n",
) -> bytes:
    head = (
        "# Created by:        SpecsLab Prodigy, Version 4.100.1-r111001 \n#\n# XY-Serializer Export Settings:\n"
        f"#   Energy Axis:              {axis}\n#   Count Rate:               Counts per Second\n{export}#\n"
        "# Group:                        1 a film\n#\n# Region:                       VB\n"
        "# Acquisition Date:             03/14/25 15:09:26 UTC\n# Analysis Method:              UPS\n"
        f"# Scan Mode:                    {mode}\n# Values/Curve:                 {promised}\n"
        "# Dwell Time:                   0.5\n# Excitation Energy:            21.218\n"
        "# Kinetic Energy:               100\n# Pass Energy:                  2\n"
        "# Bias Voltage:                 200\n# Eff. Workfunction:            4.4\n# Comment:                      \n\n"
        f"# Cycle: 0\n#\n# Number of Scans: {scans}\n\n"
    )
    parts = "".join(
        f"# Cycle: 0, Curve: 0, Scan: {i}\n#\n# ColumnLabels:                 energy {label}\n#\n"
        + "".join(f"{row}\n" for row in rows)
        for i in range(scans)
    )
    return (head + parts).encode()


DOCUMENT_TYPE = (
    "<!DOCTYPE any [\n<!ELEMENT any (any|struct|string|double)?>\n"
    "<!ATTLIST any name NMTOKEN #IMPLIED version CDATA #IMPLIED>\n]>\n"
)


def specs_xml(
    counts: Sequence[int] | None = None,
    *,
    shifts: Sequence[float] = (-0.1, 0.0, 0.1),
    values: int | str = 4,
    spare: tuple[int, int] = (1, 1),
    scans: int = 2,
    document_type: str = DOCUMENT_TYPE,
    mode: str = "FixedAnalyzerTransmission",
) -> bytes:
    """A region of channeltrons whose shifts are one step of 0.5 eV at a pass energy of 5 eV."""
    if counts is None:
        counts = list(range(1, len(shifts) * (int(values) + sum(spare)) + 1))

    def struct_of(kind: str, body: str, name: str = "") -> str:
        named = f' name="{name}"' if name else ""
        return f'<struct{named} type_id="IDL:specs.de/{kind}:1.0" type_name="{kind}">{body}</struct>\n'

    detectors = "".join(struct_of("Detector", f'<double name="shift">{shift}</double>') for shift in shifts)
    definition = (
        '<string name="analysis_method">UPS</string>'
        + struct_of("ScanMode", f'<string name="name">{mode}</string>', "scan_mode")
        + f'<ulong name="num_scans">{scans}</ulong><ulong name="values_per_curve">{values}</ulong>'
        '<double name="dwell_time">0.2</double><double name="scan_delta">0.5</double>'
        '<double name="excitation_energy">21.218</double><double name="kinetic_energy">10</double>'
        '<double name="pass_energy">5</double><double name="bias_voltage">90</double>'
        '<double name="effective_workfunction">4.37</double>'
    )
    words = "\n".join(str(count) for count in counts)
    run = struct_of("ScanData", f'<sequence name="counts" length="{len(counts)}"><ulong>{words}</ulong></sequence>')
    region = (
        '<string name="name">VB</string>'
        + struct_of("RegionDef", definition, "region")
        + f'<ulong name="mcd_head">{spare[0]}</ulong><ulong name="mcd_tail">{spare[1]}</ulong>'
        + struct_of("AnalyzerInfo", f'<sequence name="detectors">{detectors}</sequence>', "analyzer_info")
        + '<sequence name="cycles" length="1">'
        + struct_of("Cycle", f'<ulong name="time">1741964966</ulong><sequence name="scans">{run * scans}</sequence>')
        + "</sequence>"
    )
    group = '<string name="name">a film</string><sequence name="regions">' + struct_of("RegionData", region)
    return (
        '<?xml version="1.0"?>\n<!-- CORBA XML document created by XMLSerializer2 1.6 -->\n'
        f'{document_type}<any version="1.6">\n<sequence type_name="RegionGroupSeq">'
        + struct_of("RegionGroup", group + "</sequence>")
        + "</sequence></any>\n"
    ).encode()


SES_INFO = {
    "Region Name": "VB",
    "Pass Energy": "5",
    "Number of Sweeps": "2",
    "Excitation Energy": "21.218",
    "Energy Scale": "Kinetic",
    "Number of Slices": "2",
    "Instrument": "R3000",
    "User": "A. Person",
    "Sample": "a film",
    "Date": "2025-03-14",
    "Time": "15:09:26",
    "Time per Spectrum Channel": "4",
    "DetectorMode": "Pulse Counting",
}


def scienta_txt(
    rows: Sequence[str] = ("10 3 4", "10.5 5 6", "11 7 8"),
    *,
    changes: Mapping[str, str] | None = None,
    name: str = "Kinetic Energy [eV]",
    size: int | None = None,
) -> bytes:
    info = "".join(f"{key}={value}\n" for key, value in (SES_INFO | dict(changes or {})).items())
    return (
        "[Info]\nNumber of Regions=1\nVersion=1.3.1\n\n[Region 1]\nRegion Name=VB\n"
        f"Dimension 1 name={name}\nDimension 1 size={len(rows) if size is None else size}\n"
        f"Dimension 1 scale=10 10.5 11\n\n[Info 1]\n{info}[Run Mode Information 1]\n\n[Data 1]\n"
        + "".join(f" {row}\n" for row in rows)
        + "\n"
    ).encode()


def scienta_ibw(
    values: np.ndarray | None = None, *, axis: str = "Binding Energy [eV]", start: float = 5.0, step: float = -0.5
) -> bytes:
    """A wave of energies (and slices) with the note of SES; the axis stands in the wave's scaling."""
    stack = np.arange(1.0, 5.0) if values is None else values
    shape = (*stack.shape, 0, 0, 0)[:4]
    scaling = (step, 1.0, 1.0, 1.0, start, 1.0, 1.0, 1.0)
    wave = struct.pack("<iIIihh6xh32sii4i8d", 0, 0, 0, stack.size, 4, 0, 1, b"spectrum", 0, 0, *shape, *scaling)
    wave = wave.ljust(320, b"\0")
    note = ("[SES]\rVersion=1.2.5\r" + "".join(f"{k}={v}\r" for k, v in SES_INFO.items())).encode()
    data, title = stack.astype("<f8").tobytes(order="F"), axis.encode()
    sizes = (320 + len(data), 0, len(note), 0, len(title), *[0] * 10)
    unsummed = struct.pack("<hh15i", 5, 0, *sizes)
    total = int(np.frombuffer(unsummed + wave, "<i2").sum(dtype=np.int64))
    checksum = (-total + 2**15) % 2**16 - 2**15
    return struct.pack("<hh15i", 5, checksum, *sizes) + wave + data + note + title


def casa_text(rows: Sequence[tuple[float, float]] = ((10.0, 40.0), (10.5, 42.0), (11.0, 8.0))) -> bytes:
    head = (
        "Cycle 3:a film:VB\n\tCharacteristic Energy eV\t2.121800e+001\tAcquisition Time s\t2.000000e-001\n"
        "Name\t\t\nPosition\t\t\nFWHM\t\t\nArea\t\t\nLineshape\t\t\nK.E.\tCounts\t\tB.E.\tCPS\n"
    )
    body = "".join(
        f"{_casa(energy)}\t{_casa(count)}\t\t{_casa(21.218 - energy)}\t{_casa(count / 0.2)}\n" for energy, count in rows
    )
    return (head + body + (head + body).replace("Cycle 3", "Cycle 4").replace(":VB", ":Au Fermi")).encode()


def _casa(value: float) -> str:
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"


def csv() -> bytes:
    return b"BE/eV,Intensity (counts)\n0.5,400\n0.4,100\n0.3,25\n"


SPECTRA: dict[str, bytes] = {
    "a.vms": vamas(vamas_block(), vamas_block(name="Au Fermi", bias="0")),
    "irregular.vms": vamas_irregular(),
    "a.npl": vamas(vamas_block(axis=("Binding Energy", "eV", "5", "-0.5"), variables=("Intensity", "c/s"))),
    "profile.vms": vamas(vamas_block(mode="SDP"), mode="SDP"),
    "specs.xy": specs_xy(),
    "specs.xml": specs_xml(),
    "scienta.txt": scienta_txt(),
    "scienta.ibw": scienta_ibw(),
    "casa.txt": casa_text(),
    "be.csv": csv(),
}
