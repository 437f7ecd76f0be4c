"""Every real file cut at 10, 50 and 90 %: a verdict each, and nothing else disturbed."""

from __future__ import annotations

from pathlib import Path

from growths import drop_growth

from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext

FOLDERS = {
    "xrr": "xrr",
    "xrd_theta2theta": "xrd",
    "rsm": "rsm",
    "afm": "afm",
    "kpfm": "kpfm",
    "transport_hall": "transport",
    "xps_ups": "ups",
}


def test_cut_files_get_a_verdict_each_and_their_whole_neighbours_are_accepted(house: House, realdata: Path) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    cut = 0
    for source, technique in FOLDERS.items():
        for path in sorted((realdata / source).iterdir()):
            content = path.read_bytes()
            for percent in (10, 50, 90):
                target = folder / technique / f"cut{percent}" / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content[: len(content) * percent // 100])
                cut += 1
    whole = folder / "xrr" / "epytaxy_P0137aOP_XRR.xrdml"
    whole.write_bytes((realdata / "xrr" / whole.name).read_bytes())
    verdicts = house.ingest([folder], RunContext("cli"))
    by_status: dict[str, list[str]] = {}
    for v in verdicts:
        by_status.setdefault(v.status, []).append(v.path.name)
        assert "Traceback" not in v.sentence
        assert "fault" not in v.sentence
    assert len(verdicts) == cut + 2
    # the sequence of a MultiVu run is text without an end: refused whole or cut
    assert sorted(by_status["accepted"]) == ["epytaxy_P0137aOP_XRR.xrdml", "growth.yaml"]
    assert len(by_status["rejected"]) == cut
    stored = house.lake.rows(
        "SELECT count(DISTINCT sha256) AS n FROM lake.rejected_file WHERE sha256 IN (SELECT sha256 FROM raw_object)"
    )
    assert stored[0]["n"] == cut


def test_whole_real_files_are_accepted_or_refused_with_the_right_words(house: House, realdata: Path) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    for source, technique in FOLDERS.items():
        (folder / technique).mkdir()
        for path in sorted((realdata / source).iterdir()):
            (folder / technique / path.name).write_bytes(path.read_bytes())
    (folder / "kpfm" / "settings.yaml").write_text("bias_on: tip\n")
    (folder / "transport" / "hc3413_JT029_SrRuO3_vdP_Hall.txt.yaml").write_text(
        "columns: [temperature_k, field_oe, source_a, source_v, sense_v, configuration_index, null]\n"
        "configurations: {hall: [0, 1], vdp_a: [2, 3], vdp_b: [4, 5]}\n"
    )
    verdicts = {v.path.name: v for v in house.ingest([folder], RunContext("cli"))}
    refused = {name: v.sentence for name, v in verdicts.items() if v.status == "rejected"}
    assert set(refused) == {
        "autexys_EFM_0003.ibw",
        "autexys_SGM0003.ibw",
        "nanoAFMr_AR_20211011.ibw",
        "epytaxy_P0142OP0000.h5",
        "nomad_ACT_Ch1_Hall_Ch2_TMR.dat",
        "nomad_ETO_Ch1_TMR_Ch2_Hall.seq",
    }
    for name in ("autexys_EFM_0003.ibw", "autexys_SGM0003.ibw", "nanoAFMr_AR_20211011.ibw"):
        assert "no potential channel (channels: HeightRetrace" in refused[name]
    assert "sequence" in refused["nomad_ETO_Ch1_TMR_Ch2_Hall.seq"]
    assert "4 wire Hall" in refused["nomad_ACT_Ch1_Hall_Ch2_TMR.dat"]
    assert verdicts["nomad_RSM_111_sdd350.rasx"].technique == "rsm"
    assert verdicts["MDaC_XRD_RIGAKU.ras"].technique == "xrd"
    assert verdicts["dbecerril_CPD_CdTe_0per_350C_2.gwy"].technique == "kpfm"
