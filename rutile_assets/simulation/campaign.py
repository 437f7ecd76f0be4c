"""A campaign of simulated films: an inbox as a lab would fill it, and the truth in a place of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path

import yaml

from rutile_assets import __version__
from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.files import COMMENT, MAKERS, SimulatedFile, map_without_potential
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, FilmTruth, film_truth

Progress = Callable[[int, int, str], None]

FIRST_GROWTH = datetime(2025, 3, 3, 9, 30)
DEMO: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    (UNCAPPED, 1.5, ()),
    (UNCAPPED, 2.5, ("cut_scan",)),
    (UNCAPPED, 3.5, ()),
    (TRILAYER, 3.8, ("no_potential",)),
    (UNCAPPED, 6.5, ("unknown_format",)),
    (UNCAPPED, 17.2, ()),
)
# the rest of the paper's two series
REST: tuple[tuple[str, float], ...] = (
    *((UNCAPPED, t) for t in (2.1, 3.1, 3.9, 4.5, 5.2, 8.0, 11.0)),
    *((TRILAYER, t) for t in (1.5, 1.9, 2.5, 3.1, 5.0, 7.0)),
)
MISHAPS = ("cut_scan", "no_potential", "unknown_format")


@dataclass(frozen=True)
class Planned:
    """A film that is going to be simulated.

    Parameters
    ----------
    growth_id, series : str
        Its name and its series.
    nominal_nm : float
        Of the RuO2 layer [nm].
    grown_at : datetime
        Start of the growth.
    mishaps : tuple of str or None
        Which bad files come with it; None leaves it to chance.
    """

    growth_id: str
    series: str
    nominal_nm: float
    grown_at: datetime
    mishaps: tuple[str, ...] | None = None


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
    """Yield films without end: the demo's, the rest of the paper's two series, then both series again and again.

    A film's place decides its name and date, never how many films there are.
    """
    series = [(s, t, m) for s, t, m in DEMO] + [(s, t, None) for s, t in REST]
    for place in count():
        kind, nominal, mishaps = series[place % len(series)]
        again = place // len(series)
        name = f"SIM-{'F' if kind == UNCAPPED else 'T'}{round(10 * nominal):03d}"
        yield Planned(
            name if again == 0 else f"{name}-{again + 1}",
            kind,
            nominal,
            FIRST_GROWTH + timedelta(days=place),
            mishaps if again == 0 else None,
        )


def simulate(
    out: Path,
    *,
    films: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    realism: Realism | None = None,
) -> Campaign:
    """Write a campaign of simulated films.

    ``out/inbox/<growth_id>/`` gets a growth.yaml and a folder for each technique, ``out/truth/truth.json`` the truth,
    which nothing that analyses the inbox reads. The same seed writes the same bytes, and a film's bytes do not depend
    on the other films.

    Parameters
    ----------
    out : Path
        Where to; made if it is not there.
    films : int, optional
        How many of `plan`; the demo's six by default.
    seed : int
        Of everything that is random.
    progress : callable, optional
        Called with (films done, films in all, name of the next one).
    realism : Realism, optional
        How far from ideal the lab is.

    Returns
    -------
    Campaign
        The truth and what was written.

    Raises
    ------
    InvalidRecord
        `films` is below 1, or a film's folder holds a growth that is not a simulated one: it is left untouched.
    """
    total = len(DEMO) if films is None else films
    if total < 1:
        raise InvalidRecord(f"{total} films", "at least one", "Ask for more films.")
    lab = realism or Realism()
    inbox, apart = out / "inbox", out / "truth"
    truths, rejections, written, size = [], [], 0, 0
    for done, planned in enumerate(islice(plan(), total)):
        if progress is not None:
            progress(done, total, planned.growth_id)
        folder = inbox / planned.growth_id
        _refuse_measured(folder)
        truth = film_truth(
            planned.growth_id, planned.series, planned.nominal_nm, lab, generator(seed, planned.growth_id, "film")
        )
        files, bad = film_files(planned, truth, lab, seed)
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            written, size = written + 1, size + len(file.content)
        truths.append(truth)
        rejections += bad
    apart.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_record(truths, rejections, lab, seed), indent=1, sort_keys=True)
    (apart / "truth.json").write_text(text + "\n", encoding="utf-8")
    if progress is not None:
        progress(total, total, "")
    return Campaign(inbox, apart, tuple(truths), written, size, tuple(rejections))


def film_files(
    planned: Planned, truth: FilmTruth, realism: Realism, seed: int
) -> tuple[list[SimulatedFile], list[ExpectedRejection]]:
    """Return the files of one film and which of them are bad on purpose.

    The growth.yaml comes last, so that an inbox that is being watched sees a film only when it is all there.
    """
    files: list[SimulatedFile] = []
    for days, (technique, make) in enumerate(MAKERS.items(), start=1):
        rng = generator(seed, planned.growth_id, technique)
        files += make(truth, planned.grown_at + timedelta(days=days), realism, rng)
    chance = generator(seed, planned.growth_id, "mishaps")
    mishaps = planned.mishaps
    if mishaps is None:
        which = MISHAPS[int(chance.integers(len(MISHAPS)))]
        mishaps = (which,) if chance.uniform() < realism.bad_file_probability else ()
    bad = [_bad_file(mishap, files, planned, truth, realism, seed) for mishap in mishaps]
    files += [file for file, _ in bad]
    files.append(SimulatedFile("growth.yaml", growth_yaml(planned, truth)))
    return files, [ExpectedRejection(planned.growth_id, file.path, why) for file, why in bad]


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
    record = {
        "growth_id": planned.growth_id,
        "origin": "simulated",
        "grown_at": planned.grown_at,
        "method": "hybrid MBE",
        "operator": "simulation",
        "substrate": {
            "material": "TiO2",
            "orientation": "110",
            "vendor": "CrysTec",
            "treatment": "O2 plasma 300 C 20 min",
        },
        "layers": layers,
        "conditions": {"oxygen_pressure_torr": 5.0e-6, "plasma_power_w": 250, "cooldown_to_c": 120},
        "notes": f"{COMMENT}; no film was grown",
    }
    return yaml.safe_dump(record, sort_keys=False).encode()


def _bad_file(
    mishap: str, files: list[SimulatedFile], planned: Planned, truth: FilmTruth, realism: Realism, seed: int
) -> tuple[SimulatedFile, str]:
    rng = generator(seed, planned.growth_id, mishap)
    if mishap == "cut_scan":
        scan = next(file for file in files if file.path.startswith("xrr/") and not file.path.endswith(".yaml"))
        cut = scan.content[: int(len(scan.content) * rng.uniform(0.2, 0.9))]
        stem, _, ending = scan.path.rpartition(".")
        return SimulatedFile(f"{stem}_copy.{ending}", cut), "cut short while it was copied"
    if mishap == "no_potential":
        day = planned.grown_at + timedelta(days=3)
        return map_without_potential(truth, day, realism, rng), "a map without a potential channel"
    content = b"ZYGO\x01\x02simulated\0" + rng.bytes(2000)
    return SimulatedFile(f"afm/{planned.growth_id}.zyg", content), "a format that no reader knows"


def _refuse_measured(folder: Path) -> None:
    growth = folder / "growth.yaml"
    if growth.is_file() and b"origin: simulated" not in growth.read_bytes():
        raise InvalidRecord(
            f"a growth that is not simulated in {folder}", "no such folder, or a simulated film", "Simulate elsewhere."
        )


def _record(
    truths: list[FilmTruth], rejections: list[ExpectedRejection], realism: Realism, seed: int
) -> dict[str, object]:
    return {
        "origin": "simulated",
        "program": f"rutile_assets {__version__}",
        "seed": seed,
        "realism": asdict(realism),
        "films": [asdict(truth) for truth in truths],
        "quantities": [q.as_dict(truth.growth_id) for truth in truths for q in truth.quantities()],
        "expected_rejections": [asdict(rejection) for rejection in rejections],
    }
