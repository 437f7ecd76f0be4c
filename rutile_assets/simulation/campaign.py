"""A campaign of simulated films: an inbox as a lab would fill it, and the truth in a place of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from rutile_assets import __version__
from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.files import COMMENT, MAKERS, Maker, SimulatedFile, map_without_potential
from rutile_assets.simulation.light import LIGHT_MAKERS
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.series_transport import transport_truth
from rutile_assets.simulation.series_truth import series_truth
from rutile_assets.simulation.sessions import SAMPLES, reference_visits, sample_visit
from rutile_assets.simulation.truth import SUBSTRATE, TRILAYER, UNCAPPED, FilmTruth, film_truth

Progress = Callable[[int, int, str], None]

FIRST_GROWTH = datetime(2025, 3, 3, 9, 30)
FILM, REFERENCE, BARE = "film", "reference", "bare substrate"
# kind of sample, series, RuO2 thickness [nm], bad files (None leaves them to chance)
Sample = tuple[str, str, float, tuple[str, ...] | None]
DEMO: tuple[Sample, ...] = (
    (FILM, UNCAPPED, 1.5, ()),
    (FILM, UNCAPPED, 2.5, ("cut_scan",)),
    (FILM, UNCAPPED, 3.5, ()),
    (FILM, TRILAYER, 3.8, ("no_potential",)),
    (FILM, UNCAPPED, 6.5, ("unknown_format",)),
    (FILM, UNCAPPED, 17.2, ()),
    (REFERENCE, UNCAPPED, 5.2, ()),
    (BARE, SUBSTRATE, 0.0, ()),
)
# the rest of the paper's two series
REST: tuple[Sample, ...] = (
    *((FILM, UNCAPPED, t, None) for t in (2.1, 3.1, 3.9, 4.5, 5.2, 8.0, 11.0)),
    *((FILM, TRILAYER, t, None) for t in (1.5, 1.9, 2.5, 3.1, 5.0, 7.0)),
)
CYCLE = DEMO + REST
CAMPAIGN_FILMS = len(CYCLE)
MISHAPS = ("cut_scan", "no_potential", "unknown_format")
# who measures what: the tip's reference and the bare substrate go to few instruments, films not to the UPS (paper)
ONLY = {BARE: ("xrr", "afm", "kpfm", "ups")}
NOT = {FILM: ("ups",), REFERENCE: ("xrd", "rsm", "transport", "shg")}


@dataclass(frozen=True)
class Planned:
    """A sample that is going to be simulated.

    Parameters
    ----------
    growth_id, series : str
        Its name and its series.
    nominal_nm : float
        Of the RuO2 layer [nm]; 0 for a bare substrate.
    grown_at : datetime
        Start of the growth; of a bare substrate the day it came.
    mishaps : tuple of str or None
        Which bad files come with it; None leaves it to chance.
    kind : str
        ``film``, ``reference`` (of the Kelvin probe's tips) or ``bare substrate``.
    cycle : int
        How often the plan has begun anew before it.
    session, turn : int or None
        Session at the Kelvin probe, from 0, and its place in it; None for the reference, which is in all of its cycle.
    """

    growth_id: str
    series: str
    nominal_nm: float
    grown_at: datetime
    mishaps: tuple[str, ...] | None = None
    kind: str = FILM
    cycle: int = 0
    session: int | None = None
    turn: int | None = None

    def is_measured_by(self, technique: str) -> bool:
        """Tell whether this kind of sample goes to that instrument."""
        return technique in ONLY.get(self.kind, (technique,)) and technique not in NOT.get(self.kind, ())


@dataclass(frozen=True)
class ExpectedRejection:
    """A bad file that the ingest has to refuse.

    Parameters
    ----------
    growth_id, path : str
        The film, and the file in its folder.
    why : str
        What is wrong with it.
    """

    growth_id: str
    path: str
    why: str


@dataclass(frozen=True)
class Campaign:
    """What was written.

    Parameters
    ----------
    inbox, truth : Path
        The two folders.
    films : tuple of FilmTruth
        The truth, film by film.
    files, size_bytes : int
        How many files the inbox got, and their size together.
    rejections : tuple of ExpectedRejection
        The bad files among them.
    """

    inbox: Path
    truth: Path
    films: tuple[FilmTruth, ...]
    files: int
    size_bytes: int
    rejections: tuple[ExpectedRejection, ...]


def plan() -> Iterator[Planned]:
    """Yield samples without end: the demo's, the rest of the paper's two series, then all of them again and again.

    A sample's place decides its name, date and session at the Kelvin probe, never how many samples there are.
    """
    sessions = -(-(CAMPAIGN_FILMS - 1) // SAMPLES)  # of a cycle
    for place in count():
        cycle, at = divmod(place, CAMPAIGN_FILMS)
        kind, series, nominal, mishaps = CYCLE[at]
        letter = {FILM: "F" if series == UNCAPPED else "T", REFERENCE: "REF"}.get(kind)
        name = f"SIM-{letter}{round(10 * nominal):03d}" if letter else "SIM-TIO2"
        measured = sum(other[0] != REFERENCE for other in CYCLE[:at])
        yield Planned(
            name if cycle == 0 else f"{name}-{cycle + 1}",
            series,
            nominal,
            FIRST_GROWTH + timedelta(days=place),
            mishaps if cycle == 0 else None,
            kind,
            cycle,
            None if kind == REFERENCE else cycle * sessions + measured // SAMPLES,
            None if kind == REFERENCE else measured % SAMPLES,
        )


def simulate(
    out: Path,
    *,
    films: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    realism: Realism | None = None,
    light: bool = False,
    microscope: bool = False,
    processes: int = 1,
) -> Campaign:
    """Write a campaign of simulated samples.

    ``out/inbox/<growth_id>/`` gets a growth.yaml and a folder for each technique, ``out/truth/truth.json`` the truth,
    which nothing that analyses the inbox reads. The same seed writes the same bytes, and a film's bytes do not depend
    on the other films; the reference sample has the sessions of the films that there are.

    Parameters
    ----------
    out : Path
        Where to; made if it is not there.
    films : int, optional
        How many samples of `plan`; the paper's two series, the reference and the bare substrate by default.
    seed : int
        Of everything that is random.
    progress : callable, optional
        Called with (films done, films in all, name of the last one).
    realism : Realism, optional
        How far from ideal the lab is.
    light : bool
        Few and small files, for load tests.
    microscope : bool
        Also a 4D-STEM scan and a HAADF series of the 3.8 nm trilayer.
    processes : int
        How many to write with.

    Returns
    -------
    Campaign
        The truth and what was written.

    Raises
    ------
    InvalidRecord
        `films` is below 1, or a film's folder holds a growth that is not a simulated one: it is left untouched.
    """
    total = CAMPAIGN_FILMS if films is None else films
    if total < 1:
        raise InvalidRecord(f"{total} films", "at least one", "Ask for more films.")
    lab = realism or Realism()
    inbox, apart = out / "inbox", out / "truth"
    planned = list(islice(plan(), total))
    for one in planned:
        _refuse_measured(inbox / one.growth_id)
    write = partial(_write, inbox, total, lab, seed, light, microscope)
    written: list[tuple[FilmTruth, int, int, list[ExpectedRejection]]] = []
    if progress is not None:
        progress(0, total, planned[0].growth_id)
    with _mapper(min(processes, total)) as apply:
        for one, made in zip(planned, apply(write, planned), strict=True):
            written.append(made)
            if progress is not None:
                progress(len(written), total, one.growth_id)
    truths, counts, sizes, rejections = zip(*written, strict=True)
    bad = tuple(rejection for found in rejections for rejection in found)
    apart.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_record(truths, bad, lab, seed), indent=1, sort_keys=True, default=datetime.isoformat)
    (apart / "truth.json").write_text(text + "\n", encoding="utf-8")
    return Campaign(inbox, apart, truths, sum(counts), sum(sizes), bad)


@contextmanager
def _mapper(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _write(
    inbox: Path, total: int, realism: Realism, seed: int, light: bool, microscope: bool, planned: Planned
) -> tuple[FilmTruth, int, int, list[ExpectedRejection]]:
    truth = sample_truth(planned, realism, seed, total)
    makers = LIGHT_MAKERS if light else MAKERS
    if microscope:
        from rutile_assets.simulation.microscope import haadf_files, stem4d_files  # noqa: PLC0415 torch loads long

        makers = makers | {"stem4d": stem4d_files, "haadf": haadf_files}
    files, bad = film_files(planned, truth, realism, seed, makers)
    write_files(inbox / planned.growth_id, files)
    return truth, len(files), sum(len(file.content) for file in files), bad


def write_files(folder: Path, files: Sequence[SimulatedFile]) -> None:
    """Write a sample's files into its folder, in their order."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)


def sample_truth(planned: Planned, realism: Realism, seed: int, films: int = CAMPAIGN_FILMS) -> FilmTruth:
    """Return what is true of a sample in a campaign of so many films.

    Parameters
    ----------
    planned : Planned
        From `plan`.
    realism : Realism
        How far from ideal the lab is.
    seed : int
        Of the campaign.
    films : int
        Samples in the campaign: the reference has only the sessions that they begin.
    """
    truth = film_truth(
        planned.growth_id, planned.series, planned.nominal_nm, realism, generator(seed, planned.growth_id, "film")
    )
    if planned.session is not None and planned.turn is not None:
        began = _session_began(planned.session)
        visit = sample_visit(seed, planned.session, planned.turn, began, realism)
        return replace(truth, visits=(visit,), tip_work_function_ev=visit.tip_work_function_ev)
    here = islice(plan(), planned.cycle * CAMPAIGN_FILMS, min(films, (planned.cycle + 1) * CAMPAIGN_FILMS))
    sessions = sorted({other.session for other in here if other.session is not None})
    visits = [v for s in sessions for v in reference_visits(seed, s, _session_began(s), realism)]
    return replace(truth, visits=tuple(visits))


def _session_began(session: int) -> datetime:
    """Return the morning of a session: when the last of its films has been grown and looked at."""
    return FIRST_GROWTH.replace(hour=9, minute=0) + timedelta(days=SAMPLES * (session + 1) + 9)


def film_files(
    planned: Planned,
    truth: FilmTruth,
    realism: Realism,
    seed: int,
    makers: Mapping[str, Maker] = MAKERS,
) -> tuple[list[SimulatedFile], list[ExpectedRejection]]:
    """Return the files of one film and which of them are bad on purpose.

    The growth.yaml comes last, so that an inbox that is being watched sees a film only when it is all there.
    """
    files: list[SimulatedFile] = []
    for days, (technique, make) in enumerate(makers.items(), start=1):
        if planned.is_measured_by(technique):
            rng = generator(seed, planned.growth_id, technique)
            files += make(truth, planned.grown_at + timedelta(days=days), realism, rng)
    chance = generator(seed, planned.growth_id, "mishaps")
    mishaps = planned.mishaps
    if mishaps is None:
        which = MISHAPS[int(chance.integers(len(MISHAPS)))]
        mishaps = (which,) if chance.uniform() < realism.bad_file_probability else ()
    bad = [
        _bad_file(mishap, files, planned, truth, realism, seed)
        for mishap in mishaps
        if mishap != "cut_scan" or any(_is_reflectivity(file) for file in files)
    ]
    files += [file for file, _ in bad]
    files.append(SimulatedFile("growth.yaml", growth_yaml(planned, truth)))
    return files, [ExpectedRejection(planned.growth_id, file.path, why) for file, why in bad]


def _is_reflectivity(file: SimulatedFile) -> bool:
    return file.path.startswith("xrr/") and not file.path.endswith(".yaml")


def growth_yaml(planned: Planned, truth: FilmTruth) -> bytes:
    """Return the film's growth.yaml: nominal values only."""
    layers = []
    for layer in truth.layers:
        grown: dict[str, object] = {"material": layer.material, "nominal_thickness_nm": layer.nominal_thickness_nm}
        grown["role"] = layer.role
        if layer.material == "RuO2":
            grown |= {"precursor": "Ru(acac)3", "source_temperature_c": 175}
        else:
            grown["precursor"] = "TTIP"
        layers.append(grown)
    record: dict[str, object] = {
        "growth_id": planned.growth_id,
        "origin": "simulated",
        "substrate": {
            "material": "TiO2",
            "orientation": "110",
            "vendor": "CrysTec",
            "treatment": "O2 plasma 300 C 20 min",
        },
    }
    if layers:
        record |= {
            "grown_at": planned.grown_at,
            "method": "hybrid MBE",
            "operator": "simulation",
            "layers": layers,
            "conditions": {"oxygen_pressure_torr": 5.0e-6, "plasma_power_w": 250, "cooldown_to_c": 120},
        }
    meant = {REFERENCE: "; the reference of the Kelvin probe's tips", BARE: "; a substrate as it came"}
    record["notes"] = f"{COMMENT}; no film was grown{meant.get(planned.kind, '')}"
    return yaml.safe_dump(record, sort_keys=False).encode()


def _bad_file(
    mishap: str, files: list[SimulatedFile], planned: Planned, truth: FilmTruth, realism: Realism, seed: int
) -> tuple[SimulatedFile, str]:
    rng = generator(seed, planned.growth_id, mishap)
    if mishap == "cut_scan":
        scan = next(file for file in files if _is_reflectivity(file))
        cut = scan.content[: int(len(scan.content) * rng.uniform(0.2, 0.9))]
        stem, _, ending = scan.path.rpartition(".")
        return SimulatedFile(f"{stem}_copy.{ending}", cut), "cut short while it was copied"
    if mishap == "no_potential":
        began = truth.visits[-1].started_at if truth.visits else planned.grown_at
        file = map_without_potential(truth, began + timedelta(hours=1), realism, rng)
        return file, "a map without a potential channel"
    content = b"ZYGO\x01\x02simulated\0" + rng.bytes(2000)
    return SimulatedFile(f"afm/{planned.growth_id}.zyg", content), "a format that no reader knows"


def _refuse_measured(folder: Path) -> None:
    growth = folder / "growth.yaml"
    if growth.is_file() and b"origin: simulated" not in growth.read_bytes():
        raise InvalidRecord(
            f"a growth that is not simulated in {folder}", "no such folder, or a simulated film", "Simulate elsewhere."
        )


def _record(
    truths: Sequence[FilmTruth], rejections: Sequence[ExpectedRejection], realism: Realism, seed: int
) -> dict[str, object]:
    return {
        "origin": "simulated",
        "program": f"rutile_assets {__version__}",
        "seed": seed,
        "realism": asdict(realism),
        "films": [asdict(truth) for truth in truths],
        "quantities": [
            *(q.as_dict(truth.growth_id) for truth in truths for q in truth.quantities()),
            *series_truth(truths),
            *transport_truth(truths),
        ],
        "expected_rejections": [asdict(rejection) for rejection in rejections],
    }
