"""A campaign: every byte from the seed, each film for itself, the truth apart, bad files named."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import yaml

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import Source
from rutile_assets.simulation.campaign import (
    BARE,
    CAMPAIGN_FILMS,
    DEMO,
    FILM,
    REFERENCE,
    Campaign,
    Planned,
    film_files,
    plan,
    sample_truth,
    simulate,
)
from rutile_assets.simulation.files import CHANNELS, MAKERS
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import SUBSTRATE, TRILAYER, UNCAPPED
from rutile_assets.techniques.growth.record import read_growth


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return simulate(tmp_path_factory.mktemp("demo"), films=len(DEMO))


def test_the_demo_is_small_and_holds_every_kind_of_sample_in_every_format(demo: Campaign) -> None:
    assert len(demo.films) == len(DEMO) == 8
    assert {film.series for film in demo.films} == {UNCAPPED, TRILAYER, SUBSTRATE}
    assert demo.size_bytes < 20e6
    endings = {path.suffix for path in demo.inbox.rglob("*")}
    assert {".rasx", ".xrdml", ".spm", ".000", ".ibw", ".dat", ".yaml"} <= endings


def test_every_file_of_the_demo_is_read_as_its_folders_technique_or_named_as_bad(demo: Campaign) -> None:
    bad = {(r.growth_id, r.path) for r in demo.rejections}
    assert len(bad) == 3
    for path in sorted(demo.inbox.rglob("*.*")):
        relative = path.relative_to(demo.inbox)
        if path.suffix == ".yaml" or (relative.parts[0], "/".join(relative.parts[1:])) in bad:
            continue
        assert read(Source.of(path)).technique == relative.parts[1], relative


def test_bad_files_are_bad_for_the_reason_that_the_truth_gives(demo: Campaign) -> None:
    for rejection in demo.rejections:
        source = Source.of(demo.inbox / rejection.growth_id / rejection.path)
        if rejection.why == "a map without a potential channel":
            assert {c.quantity for c in read(source).channels} == {"height_nm", "amplitude_nm", "phase_deg"}
        else:
            with pytest.raises(UnreadableFile):
                read(source)


def test_growth_yaml_is_valid_says_simulated_and_holds_nominal_values_only(demo: Campaign) -> None:
    for film in demo.films:
        record = read_growth((demo.inbox / film.growth_id / "growth.yaml").read_bytes())
        assert (record.growth_id, record.origin) == (film.growth_id, "simulated")
        assert [layer.nominal_thickness_nm for layer in record.layers] == [
            layer.nominal_thickness_nm for layer in film.layers
        ]
        assert all(layer.thickness_nm != layer.nominal_thickness_nm for layer in film.layers)
        assert record.substrate.material == "TiO2"
        assert (record.grown_at is None) == (film.series == SUBSTRATE)


def test_sidecars_tell_what_files_cannot(demo: Campaign) -> None:
    folder = demo.inbox / "SIM-F035"
    assert yaml.safe_load((folder / "kpfm/settings.yaml").read_text()) == {"bias_on": "tip", "tip": "T01"}
    assert yaml.safe_load((folder / "transport/settings.yaml").read_text()) == {"channels": CHANNELS}
    beam = yaml.safe_load((folder / "xrr/settings.yaml").read_text())
    assert set(beam) == {"beam_width_mm", "sample_length_mm", "resolution_fwhm_deg"}


def test_the_truth_stands_apart_and_lists_each_quantity_of_each_film_once(demo: Campaign) -> None:
    assert not list(demo.inbox.rglob("*truth*"))
    record = json.loads((demo.truth / "truth.json").read_text())
    keys = [(q["growth_id"], q["quantity"], q["subject"]) for q in record["quantities"]]
    assert len(set(keys)) == len(keys)
    assert record["origin"] == "simulated"
    by_key = {key: q["value"] for key, q in zip(keys, record["quantities"], strict=True)}
    for film in demo.films:
        for visit in film.visits:
            subject = visit.subject if len(film.visits) > 1 else ""
            known = visit.tip_work_function_ev - film.work_function_ev
            assert by_key[film.growth_id, "v_cpd_v", subject] == pytest.approx(known)
        assert by_key[film.growth_id, "roughness_sq_pm", ""] == film.sq_pm
    assert len(record["expected_rejections"]) == 3
    assert all(q["unit"] is not None for q in record["quantities"])


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    first, again, other = (simulate(tmp_path / n, films=1, seed=s) for n, s in (("a", 3), ("b", 3), ("c", 4)))
    assert _hashes(first.inbox.parent) == _hashes(again.inbox.parent)
    changed = {path for path, digest in _hashes(first.inbox).items() if _hashes(other.inbox).get(path) != digest}
    assert {Path(path).parts[1] for path in changed} >= {"xrr", "afm", "kpfm", "transport"}


def test_a_films_bytes_do_not_depend_on_the_films_beside_it(demo: Campaign, tmp_path: Path) -> None:
    fewer = simulate(tmp_path, films=2, processes=2)
    all_files = _hashes(demo.inbox)
    assert _hashes(fewer.inbox).items() <= all_files.items()


def test_a_film_is_made_without_the_ones_before_it(demo: Campaign) -> None:
    planned = next(islice(plan(), 4, None))
    truth = sample_truth(planned, Realism(), 0)
    assert truth == demo.films[4]
    files, _ = film_files(planned, truth, Realism(), 0)
    for file in files:
        assert (demo.inbox / planned.growth_id / file.path).read_bytes() == file.content
    assert files[-1].path == "growth.yaml"


def test_the_reference_lies_under_every_tip_before_and_after_the_films(demo: Campaign) -> None:
    reference = next(film for film in demo.films if film.growth_id == "SIM-REF052")
    of_films = {visit for film in demo.films if film is not reference for visit in film.visits}
    for tip in {visit.tip for visit in of_films}:
        before, after = (visit.started_at for visit in reference.visits if visit.tip == tip)
        assert all(before < visit.started_at < after for visit in of_films if visit.tip == tip)
        maps = sorted((demo.inbox / "SIM-REF052/kpfm" / tip).glob("*.ibw"))
        assert {read(Source.of(path)).acquired_at for path in maps} >= {before, after}
        assert yaml.safe_load(maps[0].with_name("settings.yaml").read_text()) == {"bias_on": "tip", "tip": tip}
    assert {visit.tip for visit in reference.visits} == {visit.tip for visit in of_films} == {"T01", "T02"}
    for film in demo.films:
        first = demo.inbox / film.growth_id / "kpfm"
        if film is not reference:
            assert yaml.safe_load((first / "settings.yaml").read_text())["tip"] == film.visits[0].tip


def test_work_functions_follow_from_the_reference_and_the_tips_drift(demo: Campaign) -> None:
    """Phi_i = Phi_ref + e (V_ref - V_i), with V_ref between its visits before and after."""
    reference = next(film for film in demo.films if film.growth_id == "SIM-REF052")
    for film in demo.films:
        visit = film.visits[0]
        ends = [v for v in reference.visits if v.tip == visit.tip]
        at = [v.started_at.timestamp() + 600.0 * v.maps for v in (*ends, visit)]
        levels = [v.tip_work_function_ev - reference.work_function_ev for v in ends]
        v_ref = np.interp(at[2], at[:2], levels)
        v_film = visit.tip_work_function_ev - film.work_function_ev
        if film is not reference:
            assert reference.work_function_ev + v_ref - v_film == pytest.approx(film.work_function_ev, abs=1e-9)
            assert abs(levels[0] - v_ref) > 1e-5


def test_a_light_campaign_of_many_films_goes_on_with_new_tips_and_is_read(tmp_path: Path) -> None:
    lab = Realism(bad_file_probability=0.0)
    light = simulate(tmp_path, films=3, realism=lab, light=True)
    assert light.size_bytes / len(light.films) < 500e3
    for path in sorted(light.inbox.rglob("*.*")):
        if path.suffix not in {".yaml", ".zyg"} and "_0090" not in path.name:
            assert read(Source.of(path)).technique == path.relative_to(light.inbox).parts[1]
    far = next(islice(plan(), 5 * CAMPAIGN_FILMS + 6, None))
    assert (far.growth_id, far.kind, far.cycle) == ("SIM-REF052-6", REFERENCE, 5)
    assert {v.tip for v in sample_truth(far, lab, 0, 6 * CAMPAIGN_FILMS).visits} == {"T21", "T22", "T23", "T24"}


def test_the_plan_goes_on_for_ever_with_new_names_and_the_papers_two_series_first() -> None:
    films: list[Planned] = list(islice(plan(), 60))
    assert len({film.growth_id for film in films}) == 60
    assert len({film.grown_at for film in films}) == 60
    once = [film for film in films[:CAMPAIGN_FILMS] if film.kind == FILM]
    assert {film.kind for film in films[:CAMPAIGN_FILMS]} == {FILM, REFERENCE, BARE}
    assert CAMPAIGN_FILMS == 21
    assert sorted(f.nominal_nm for f in once if f.series == UNCAPPED) == [
        1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2,
    ]  # fmt: skip
    assert sorted(f.nominal_nm for f in once if f.series == TRILAYER) == [1.5, 1.9, 2.5, 3.1, 3.8, 5.0, 7.0]


def test_mishaps_come_by_chance_where_none_is_planned() -> None:
    clean, clumsy = (Realism(bad_file_probability=p) for p in (0.0, 1.0))
    planned = next(islice(plan(), len(DEMO), None))
    truth = sample_truth(planned, clean, 0)
    assert film_files(planned, truth, clean, 0)[1] == []
    assert len(film_files(planned, truth, clumsy, 0)[1]) == 1


def test_progress_counts_films_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    simulate(tmp_path, films=1, progress=lambda done, total, name: told.append((done, total, name)))
    assert told == [(0, 1, "SIM-F015"), (1, 1, "SIM-F015")]


def test_a_measured_growth_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "inbox" / "SIM-F015"
    folder.mkdir(parents=True)
    (folder / "growth.yaml").write_text("growth_id: SIM-F015\norigin: measured\n")
    with pytest.raises(InvalidRecord, match="not simulated"):
        simulate(tmp_path, films=1)
    assert [path.name for path in folder.iterdir()] == ["growth.yaml"]


def test_no_films_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord, match="0 films"):
        simulate(tmp_path, films=0)


def test_every_kind_of_sample_has_the_files_of_its_kind(demo: Campaign) -> None:
    for planned, film in zip(plan(), demo.films, strict=False):
        folders = {path.name for path in (demo.inbox / film.growth_id).iterdir() if path.is_dir()}
        assert folders <= {technique for technique in MAKERS if planned.is_measured_by(technique)}
        if planned.kind == FILM:
            assert folders >= {"xrr", "xrd", "afm", "kpfm", "transport"}
            assert "ups" not in folders
        else:
            assert folders >= {"xrr", "afm", "kpfm"}
            assert not folders & {"xrd", "rsm", "transport", "shg"}
