"""Rigaku SmartLab Studio .rasx: a zip of profiles and conditions, laid out as the instrument does."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from rutile_assets.simulation.writers.scan import Header, XrayScan

BOM = b"\xef\xbb\xbf"
AXES = ("ThetaS", "ThetaD", "TwoTheta", "Omega", "TwoThetaTheta", "TwoThetaOmega", "OmegaTwoTheta", "Chi", "Phi")
_CATEGORIES = {
    "Goniometer": "StandardInplaneEnc",
    "AttachmentHead": "Standard",
    "IncidentCBO": "CBO",
    "IncidentMonochromator": "Ge(220)x2_Compress",
    "IncidentSlit": "AutoIntegrated",
    "ReceivingSlitBox1": "Auto",
    "ReceivingOptics1": "ROD_adaptor",
    "ReceivingSlitBox2": "Auto",
    "ReceivingAttenuator": "Auto",
    "Detector": "HyPix3000(H)",
    "DetectorMonochromator": "None",
}


def write(scans: Sequence[XrayScan], header: Header) -> bytes:
    """Return a .rasx file.

    Each scan is ``Data<i>/Profile<i>.txt`` (angle, counts as detected, attenuation factor) and
    ``Data<i>/MesurementConditions<i>.xml`` (the vendor spells it so); root.xml lists them with their MD5 sums. The
    instrument's signature over root.xml is left out. The same scans give the same bytes.
    """
    members: dict[str, bytes] = {}
    listed = []
    for number, scan in enumerate(scans):
        names = (f"Profile{number}.txt", f"MesurementConditions{number}.xml")
        contents = (_profile(scan), _conditions(scan, header))
        sums = ""
        for name, content in zip(names, contents, strict=True):
            members[f"Data{number}/{name}"] = BOM + content
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            sums += f'    <ContentHashList Name="{name}" ContentHash="{digest}" />\r\n'
        listed.append(f'  <Data{number} Type="Profile">\r\n{sums}  </Data{number}>\r\n')
    root = f'<?xml version="1.0" encoding="utf-8"?>\r\n<Root Version="1.1.0.0">\r\n{"".join(listed)}</Root>'
    members["root.xml"] = BOM + root.encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, header.started_at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return sink.getvalue()


def _profile(scan: XrayScan) -> bytes:
    rows = zip(scan.two_theta_deg, scan.detected_counts, scan.attenuation_factor, strict=True)
    return "".join(f"{angle:.4f}\t{counts:.0f}\t{factor:g}\r\n" for angle, counts, factor in rows).encode()


def _conditions(scan: XrayScan, header: Header) -> bytes:
    start, stop = float(scan.two_theta_deg[0]), float(scan.two_theta_deg[-1])
    points = len(scan.two_theta_deg)
    step = (stop - start) / max(points - 1, 1)
    ended_at = header.started_at + timedelta(seconds=points * scan.counting_time_s)
    positions = {"ThetaS": start / 2, "ThetaD": start / 2, "TwoTheta": start, "Omega": start / 2}
    positions |= {"TwoThetaTheta": start, "TwoThetaOmega": start, "OmegaTwoTheta": start / 2, "Chi": 0.0, "Phi": 0.0}
    positions |= dict(scan.positions_deg)
    axes = "".join(
        f'    <Axis\n      Name="{name}"\n      Unit="deg"\n      Offset="0"\n'
        f'      Position="{positions[name]:.4f}"\n      State="{"Scan" if name == scan.axis else "Fixed"}"\n'
        f'      Resolution="0.0001" />\n'
        for name in AXES
    )
    categories = "".join(
        f"      <Category\n        Name={quoteattr(name)}\n        SelectedUnit={quoteattr(unit)} />\n"
        for name, unit in _CATEGORIES.items()
    )
    attenuated = str(bool(np.any(scan.attenuation_factor > 1))).lower()
    text = f"""<?xml version="1.0" encoding="utf-8"?>
<MeasurementConditions xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <GeneralInformation>
    <Operator>{escape(header.operator)}</Operator>
    <UserGroup>Users</UserGroup>
    <Comment>{escape(header.comment)}</Comment>
    <SampleName>{escape(header.sample)}</SampleName>
    <Type>RAS_RAW</Type>
    <Version>1</Version>
    <Memo />
    <SystemName>SmartLabXE</SystemName>
    <PackageName />
    <PartName>GeneralMeasurement</PartName>
  </GeneralInformation>
  <HWConfigurations>
    <Categories>
{categories.rstrip()}
    </Categories>
    <XrayGenerator>
      <Type>RotatingAnode</Type>
      <TargetAtomicNumber>29</TargetAtomicNumber>
      <TargetName>Cu</TargetName>
      <WaveType>Ka1</WaveType>
      <Current>200</Current>
      <CurrentUnit>mA</CurrentUnit>
      <Voltage>45</Voltage>
      <VoltageUnit>kV</VoltageUnit>
      <WavelengthKbeta>1.392246</WavelengthKbeta>
      <WavelengthKalpha1>1.540593</WavelengthKalpha1>
      <WavelengthKalpha2>1.544414</WavelengthKalpha2>
    </XrayGenerator>
    <Optics>
      <Name>User defined settings</Name>
      <Attribute>PB/Ge(220)x2</Attribute>
    </Optics>
  </HWConfigurations>
  <Axes>
{axes.rstrip()}
  </Axes>
  <ScanInformation>
    <AxisName>{scan.axis}</AxisName>
    <Mode>CONTINUOUS</Mode>
    <Start>{start:.4f}</Start>
    <Stop>{stop:.4f}</Stop>
    <Step>{step:.4f}</Step>
    <Speed>{60.0 * step / scan.counting_time_s:.4f}</Speed>
    <Resolution>0.0001</Resolution>
    <SpeedUnit>deg/min</SpeedUnit>
    <PositionUnit>deg</PositionUnit>
    <IntensityUnit>counts</IntensityUnit>
    <StartTime>{header.started_at:%Y-%m-%dT%H:%M:%SZ}</StartTime>
    <EndTime>{ended_at:%Y-%m-%dT%H:%M:%SZ}</EndTime>
    <AttenuatorAutoMode>{attenuated}</AttenuatorAutoMode>
    <UnequalySpaced>false</UnequalySpaced>
    <DataCount>{points}</DataCount>
  </ScanInformation>
  <SampleInformation />
</MeasurementConditions>"""
    return text.replace("\n", "\r\n").encode()
