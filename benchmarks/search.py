"""Search in words over a lake of many films: 10,000 films of 20 files each, with notes, settings and numbers."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.context import utc_now
from rutile_assets.results.search import search

FILMS, FILES, ASKED = 10_000, 20, 7
TECHNIQUES = ("xrr", "xrd", "afm", "kpfm", "transport")
WORDS = ("edge", "chipped", "aligned", "twice", "sample", "height", "drifted", "plasma", "mask", "carbon", "tape")
QUESTIONS = (
    ("a film's name", ["F05000"]), ("a tag", ["#retake7"]), ("a word of notes", ["remounted7"]),
    ("a file's name", ["afm_0013_2.dat"]), ("a setting", ["serial-4242"]),
    ("three words", ["RuO2", "Bruker", "#retake7"]),
    ("what every film has", ["RuO2"]), ("nothing", ["nowhere-to-be-found"]),
)  # fmt: skip


def run() -> Iterator[str]:
    """Yield how long `rutile search` takes to answer, the opening of the lake apart."""
    folder = Path(tempfile.mkdtemp(prefix="rutile-bench-search-"))
    house = open_house(folder)
    fill(house)
    house.lake.maintain()
    yield f"{FILMS} films, {FILMS * FILES} files"
    for name, words in QUESTIONS:
        spent = []
        for _ in range(ASKED):
            start = time.perf_counter()
            rows, films = search(house.lake, words)
            spent.append(1e3 * (time.perf_counter() - start))
        told = f"{len(rows)} rows of {films} films"
        yield f"{name}: median {statistics.median(spent):.0f} ms, worst {max(spent):.0f} ms, {told}"
    house.lake.close()
    shutil.rmtree(folder)


def fill(house: House) -> None:
    """Write the films: growth, raw files with settings of half a kilobyte, a note on every second film."""
    random = np.random.default_rng(1)
    now = utc_now()
    names = [f"F{i:05d}" for i in range(FILMS)]
    films = np.repeat(names, FILES)
    technique = np.tile(np.array(TECHNIQUES)[np.arange(FILES) % len(TECHNIQUES)], FILMS)
    number = np.tile(np.arange(FILES), FILMS)
    count = len(films)
    file_id = 1_000_000 + np.arange(count)
    settings = [
        json.dumps({
            "sample": film, "anode": "Cu", "generator_kv": 45, "instrument_serial": f"serial-{i % 9000}",
            "comment": " ".join(random.choice(WORDS, 6)), **{f"axis_{k}_deg": round(0.1 * i + k, 3) for k in range(12)},
        })
        for i, film in enumerate(films)
    ]  # fmt: skip
    files = pd.DataFrame({
        "file_id": file_id, "sha256": [f"{i:064x}" for i in range(count)], "growth_id": films, "technique": technique,
        "original_path": [f"{t}/{t}_{f[2:]}_{n}.dat" for t, f, n in zip(technique, films, number, strict=True)],
        "instrument": np.where(technique == "afm", "Bruker Dimension Icon", "Rigaku SmartLab"),
        "settings": settings, "declared": "{}", "reader": "r", "reader_version": "v", "data_version": "d",
        "activity_id": 1, "ingested_at": now, "is_withdrawn": False,
    })  # fmt: skip
    notes = pd.DataFrame({
        "growth_id": names[::2], "entity_id": 1, "file_id": 10_000_000 + np.arange(FILMS // 2),
        "note_text": [f"{' '.join(random.choice(WORDS, 60))} remounted{i % 40}" for i in range(FILMS // 2)],
        "tags": [f"retake{i % 50}" for i in range(FILMS // 2)],
    })  # fmt: skip
    growth = pd.DataFrame({
        "growth_id": names, "entity_id": np.arange(FILMS), "origin": "measured", "grown_at": now,
        "substrate_material": "TiO2",
        "stack": [f"TiO2 (110) / RuO2 {0.1 * (i % 90) + 1:.1f} nm" for i in range(FILMS)], "series": "RuO2/TiO2",
        "related": "",
    })  # fmt: skip
    with house.lake.write() as writer:
        writer.append("raw_file", files)
        writer.append("note", notes)
        writer.append("growth", growth)
