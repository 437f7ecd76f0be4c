"""PANalytical .xrdml, schema 1.3: intensities that the program has multiplied by the absorber's factor already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from xml.sax.saxutils import escape

from rutile_assets.simulation.writers.scan import FloatArray, Header, XrayScan

_AXES = {"TwoThetaOmega": "2Theta-Omega", "TwoTheta": "2Theta", "Omega": "Omega"}


def write(scans: Sequence[XrayScan], header: Header) -> bytes:
    """Return an .xrdml file; absorbers' factors have to be whole numbers, as the program's intensities are."""
    body = "".join(_scan(number, scan, header) for number, scan in enumerate(scans))
    schema = "http://www.xrdml.com/XRDMeasurement/1.3"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="{schema}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{schema} \
{schema}/XRDMeasurement.xsd" status="Completed">
	<comment>
		<entry>{escape(header.comment)}</entry>
		<entry>Goniometer=PW3050/65 (Theta/2Theta); Minimum step size 2Theta:0.001</entry>
	</comment>
	<sample type="To be analyzed">
		<id>{escape(header.sample)}</id>
		<name>{escape(header.sample)}</name>
		<preparedBy>{escape(header.operator)}</preparedBy>
	</sample>
	<xrdMeasurement measurementType="Scan" status="Completed" sampleMode="Reflection">
		<usedWavelength intended="K-Alpha 1">
			<kAlpha1 unit="Angstrom">1.5405980</kAlpha1>
			<kAlpha2 unit="Angstrom">1.5444260</kAlpha2>
			<kBeta unit="Angstrom">1.3922500</kBeta>
			<ratioKAlpha2KAlpha1>0.5000</ratioKAlpha2KAlpha1>
		</usedWavelength>
		<incidentBeamPath>
			<radius unit="mm">320.00</radius>
			<xRayTube name="PW3373/10 Cu LFF">
				<tension unit="kV">45</tension>
				<current unit="mA">40</current>
				<anodeMaterial>Cu</anodeMaterial>
			</xRayTube>
			<monochromator name="Inc. Beam 2xGe220 Cu Asym. (hybrid)" hybrid="true">
				<crystal type="Asymmetric" shape="Flat">Ge</crystal>
				<numberOfReflections>2</numberOfReflections>
			</monochromator>
		</incidentBeamPath>
		<diffractedBeamPath>
			<radius unit="mm">320.00</radius>
			<detector name="PIXcel" xsi:type="rtmsDetectorType">
				<mode>Receiving slit</mode>
			</detector>
		</diffractedBeamPath>
{body}	</xrdMeasurement>
</xrdMeasurements>
""".encode()


def _scan(number: int, scan: XrayScan, header: Header) -> str:
    start, stop = float(scan.two_theta_deg[0]), float(scan.two_theta_deg[-1])
    ended_at = header.started_at + timedelta(seconds=len(scan.two_theta_deg) * scan.counting_time_s)
    positions = _moving("2Theta", start, stop) if scan.axis != "Omega" else _fixed("2Theta", start)
    if scan.axis == "TwoThetaOmega":
        offset = scan.positions_deg.get("Omega", start / 2.0) - start / 2.0
        positions += _moving("Omega", start / 2.0 + offset, stop / 2.0 + offset)
    else:
        positions += _fixed("Omega", scan.positions_deg.get("Omega", start / 2.0))
    positions += _fixed("Phi", scan.positions_deg.get("Phi", 0.0)) + _fixed("Psi", scan.positions_deg.get("Chi", 0.0))
    return f"""		<scan appendNumber="{number}" mode="Continuous" scanAxis="{_AXES[scan.axis]}" status="Completed">
			<header>
				<startTimeStamp>{header.started_at:%Y-%m-%dT%H:%M:%S}+00:00</startTimeStamp>
				<endTimeStamp>{ended_at:%Y-%m-%dT%H:%M:%S}+00:00</endTimeStamp>
				<author>
					<name>{escape(header.operator)}</name>
				</author>
				<source>
					<applicationSoftware version="2.2d">X'Pert Data Collector</applicationSoftware>
					<instrumentControlSoftware version="2.1E">XPERT-PRO</instrumentControlSoftware>
				</source>
			</header>
			<dataPoints>
{positions}				<beamAttenuationFactors>{_listed(scan.attenuation_factor, 2)}</beamAttenuationFactors>
				<commonCountingTime unit="seconds">{scan.counting_time_s:.2f}</commonCountingTime>
				<intensities unit="counts">{_listed(scan.detected_counts * scan.attenuation_factor, 0)}</intensities>
			</dataPoints>
		</scan>
"""


def _moving(axis: str, start: float, stop: float) -> str:
    return f"""				<positions axis="{axis}" unit="deg">
					<startPosition>{start:.4f}</startPosition>
					<endPosition>{stop:.4f}</endPosition>
				</positions>
"""


def _fixed(axis: str, position: float) -> str:
    return f"""				<positions axis="{axis}" unit="deg">
					<commonPosition>{position:.4f}</commonPosition>
				</positions>
"""


def _listed(values: FloatArray, digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)
