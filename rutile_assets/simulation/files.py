"""From a film's truth to its files: for each technique the forward model, the vendor's format, and the sidecar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import yaml

from rutile_assets.simulation import growth_log, growth_steps, shg
from rutile_assets.simulation.afm import AfmSetup, simulate_afm
from rutile_assets.simulation.kpfm import KpfmSetup, simulate_kpfm
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.rsm import SETUPS, simulate_rsm
from rutile_assets.simulation.sessions import FILM_MAPS, MAP_EVERY
from rutile_assets.simulation.transport import TransportSetup, simulate_transport
from rutile_assets.simulation.truth import UNCAPPED, FilmTruth, TipVisit, plane_spacing_nm
from rutile_assets.simulation.ups import HE_I_EV, UpsSetup, simulate_ups
from rutile_assets.simulation.writers import ibw, multivu, nanoscope, rasx, vamas, xrdml
from rutile_assets.simulation.writers.scan import Header, Image
from rutile_assets.simulation.xrd import XrdSetup, simulate_xrd
from rutile_assets.simulation.xrr import XrrSetup, simulate_xrr

COMMENT = "simulated by rutile_assets"
ASYLUM = {"NapMode": "Nap", "NapTipVoltage": "0", "NapHeight": "2e-08", "PotentialGain": "1"}
# what the operator tells the analysis about the bridges of the transport files
CHANNELS = {"bridge1": "vdp_a", "bridge2": "vdp_b", "bridge3": "hall"}


@dataclass(frozen=True)
class SimulatedFile:
    """A file of a film.

    Parameters
    ----------
    path : str
        In the growth's folder, with forward slashes.
    content : bytes
        All of it.
    """

    path: str
    content: bytes


Maker = Callable[[FilmTruth, datetime, Realism, np.random.Generator], Sequence[SimulatedFile]]


def xrr_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator, setup: XrrSetup | None = None
) -> list[SimulatedFile]:
    """Return a reflectivity scan: .rasx, one film in four an .xrdml; the sidecar tells beam, sample and resolution."""
    setup = setup or XrrSetup()
    scan = simulate_xrr(truth, setup, realism, rng)
    header = _header(truth, started_at)
    if rng.uniform() < 0.25:
        name, content = f"{truth.growth_id}_XRR.xrdml", xrdml.write([scan], header)
    else:
        name, content = f"{truth.growth_id}_XRR.rasx", rasx.write([scan], header)
    settings = {
        "beam_width_mm": setup.beam_width_mm,
        "sample_length_mm": setup.sample_length_mm,
        "resolution_fwhm_deg": setup.resolution_fwhm_deg,
    }
    return [SimulatedFile(f"xrr/{name}", content), _settings("xrr", settings)]


def xrd_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return a theta-2theta scan across the substrate's (110) peak, .rasx."""
    setup = XrdSetup()
    content = rasx.write([simulate_xrd(truth, setup, realism, rng)], _header(truth, started_at))
    settings = {"resolution_fwhm_deg": setup.resolution_fwhm_deg}
    return [SimulatedFile(f"xrd/{truth.growth_id}_110.rasx", content), _settings("xrd", settings)]


def rsm_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return the maps of an uncapped film of 2.4 nm or more: (332), and (310) or, near 4 and 6.5 nm, a tilted (301)."""
    nominal = truth.film.nominal_thickness_nm
    if truth.series != UNCAPPED or nominal < 2.4:
        return []
    second = "301" if nominal in (3.9, 6.5) else "310"
    files = []
    for name in ("332", second):
        scans = simulate_rsm(truth, SETUPS[name], realism, rng)
        content = rasx.write(scans, _header(truth, started_at))
        files.append(SimulatedFile(f"rsm/{truth.growth_id}_{name}.rasx", content))
    return files


def afm_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator, setup: AfmSetup | None = None
) -> list[SimulatedFile]:
    """Return an image: a NanoScope 5 or 9 file."""
    setup = setup or AfmSetup()
    version = 5 if rng.uniform() < 0.5 else 9
    images = simulate_afm(setup, truth.sq_pm, realism, rng)[: 2 if version == 5 else 1]
    name = f"{truth.growth_id}_2um.000" if version == 5 else f"{truth.growth_id}_2um.0_00001.spm"
    content = nanoscope.write(images, _header(truth, started_at), setup.size_nm, version)
    return [SimulatedFile(f"afm/{name}", content)]


def kpfm_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator, setup: KpfmSetup | None = None
) -> list[SimulatedFile]:
    """Return the maps of each visit to the microscope, Asylum .ibw; sidecars tell the tip, and that it has the bias.

    A sample that was measured under several tips has a folder for each of them.
    """
    setup = setup or KpfmSetup()
    visits = truth.visits or (TipVisit("T01", started_at, truth.tip_work_function_ev, FILM_MAPS),)
    several = len({visit.tip for visit in visits}) > 1
    files, number = [], 0
    for visit in visits:
        folder = f"kpfm/{visit.tip}" if several else "kpfm"
        sidecar = _settings(folder, {"bias_on": "tip", "tip": visit.tip})
        files += [] if sidecar in files else [sidecar]
        here = replace(truth, tip_work_function_ev=visit.tip_work_function_ev)
        for turn in range(visit.maps):
            images = simulate_kpfm(here, setup, realism, rng)
            files.append(_map(truth, visit.started_at + turn * MAP_EVERY, images, setup.size_nm, number, folder))
            number += 1
    return files


def map_without_potential(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> SimulatedFile:
    """Return a map in the KPFM folder whose operator forgot to record the potential."""
    setup = KpfmSetup(pixels=64)
    images = [image for image in simulate_kpfm(truth, setup, realism, rng) if image.unit != "V"]
    return _map(truth, started_at, images, setup.size_nm, 90)


def transport_files(
    truth: FilmTruth,
    started_at: datetime,
    realism: Realism,
    rng: np.random.Generator,
    setup: TransportSetup | None = None,
    temperatures: int | None = None,
) -> list[SimulatedFile]:
    """Return a field loop for each temperature, MultiVu .dat; the sidecar tells what each bridge was wired to."""
    setup = setup or TransportSetup()
    files = [_settings("transport", {"channels": CHANNELS})]
    for number, state in enumerate(truth.transport[:temperatures]):
        loop = simulate_transport(state, setup, realism, rng)
        bridges = [
            multivu.Bridge(arrangement, loop.resistance_ohm[arrangement], loop.resistance_std_ohm[arrangement],
                           setup.excitation_a)
            for arrangement in CHANNELS.values()
        ]  # fmt: skip
        header = _header(truth, started_at + timedelta(hours=3 * number))
        content = multivu.write(bridges, loop.time_s, loop.temperature_k, loop.field_t, header)
        files.append(SimulatedFile(f"transport/{truth.growth_id}_Hall_{state.temperature_k:g}K.dat", content))
    return files


def ups_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return a spectrum from the Fermi edge to the cut-off, .vms; a bare substrate's with a gold foil's beside it.

    The lamp's energy stands in the file as labs write it, 21.2 eV.
    """
    setup = UpsSetup()
    film, gold = simulate_ups(truth.work_function_ev, setup, realism, rng, is_metal=bool(truth.layers))
    named = [(f"UPS He I {truth.growth_id}", film)] + ([("UPS He I Au foil", gold)] if gold else [])
    regions = [
        vamas.Region(
            name,
            seen.kinetic_energy_ev,
            seen.counts,
            setup.dwell_s,
            round(HE_I_EV, 1),
            setup.bias_v,
            setup.analyser_work_function_ev,
            setup.pass_energy_ev,
        )
        for name, seen in named
    ]
    return [SimulatedFile(f"ups/{truth.growth_id}_HeI.vms", vamas.write(regions, _header(truth, started_at)))]


def shg_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return azimuth scans of an uncapped film, text; the sidecar tells the shapes of both tensors, as they are."""
    if truth.series != UNCAPPED or not truth.layers:
        return []
    setup = shg.ShgSetup()
    scans = shg.simulate_shg(shg.polar_weight(truth.film.thickness_nm), setup, realism, rng)
    content = shg.text(scans, setup, truth.growth_id, started_at.isoformat(), COMMENT)
    shapes = {"dipole_elements": list(shg.DIPOLE_ELEMENTS), "quadrupole_elements": list(shg.QUADRUPOLE_ELEMENTS)}
    return [SimulatedFile(f"shg/{truth.growth_id}_azimuth.csv", content), _settings("shg", shapes)]


def growth_log_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return the chamber's log, a text file for each channel; the sidecar tells units and start."""
    if not truth.layers:
        return []
    channels = growth_log.simulate_growth_log(truth, growth_log.GrowthLogSetup(), realism, rng)
    said = {
        "started_at": started_at.isoformat(),
        "channels": {channel.name: {"unit": channel.unit} for channel in channels},
    }
    logs = [SimulatedFile(f"growth_log/{channel.name}.txt", growth_log.paradim_text(channel)) for channel in channels]
    return [_settings("growth_log", said), *logs]


def rheed_files(
    truth: FilmTruth, started_at: datetime, realism: Realism, rng: np.random.Generator
) -> list[SimulatedFile]:
    """Return the RHEED movie of the first layers of an uncapped film of 3.5, 6.5 or 17.2 nm, in small pictures."""
    if truth.series != UNCAPPED or truth.film.nominal_thickness_nm not in growth_steps.FILMED_NM:
        return []
    setup = growth_log.RheedSetup()
    rate = growth_steps.layers_per_s(plane_spacing_nm("RuO2", truth.film.thickness_nm))
    frames = growth_log.simulate_rheed(rate, setup, rng)
    movie = SimulatedFile(f"rheed/{truth.growth_id}.imm", growth_log.ksa_movie(frames))
    return [_settings("rheed", {"frame_interval_s": setup.interval_s}), movie]


# technique -> what makes its files; a new technique is a line here
MAKERS: dict[str, Maker] = {
    "xrr": xrr_files,
    "xrd": xrd_files,
    "rsm": rsm_files,
    "afm": afm_files,
    "kpfm": kpfm_files,
    "ups": ups_files,
    "shg": shg_files,
    "transport": transport_files,
    "growth_log": growth_log_files,
    "rheed": rheed_files,
}


def _map(
    truth: FilmTruth, started_at: datetime, images: Sequence[Image], size_nm: float, number: int, folder: str = "kpfm"
) -> SimulatedFile:
    name = f"{truth.growth_id.replace('-', '')}_{number:04d}"
    content = ibw.write(images, _header(truth, started_at), size_nm, name, ASYLUM)
    return SimulatedFile(f"{folder}/{name}.ibw", content)


def _header(truth: FilmTruth, started_at: datetime) -> Header:
    return Header(truth.growth_id, "simulation", COMMENT, started_at)


def _settings(folder: str, settings: Mapping[str, object]) -> SimulatedFile:
    text = f"# {COMMENT}\n" + yaml.safe_dump(dict(settings), sort_keys=False)
    return SimulatedFile(f"{folder}/settings.yaml", text.encode())
