"""The figures as assets: each is drawn anew when what it shows, or the code that draws it, has changed."""

from __future__ import annotations

from rutile_assets.provenance.film import Films, Imprint, Outcome
from rutile_assets.provenance.film_asset import Asset, Room, across_films
from rutile_assets.results.figures.benchmark import benchmark
from rutile_assets.results.figures.diffraction import diffraction
from rutile_assets.results.figures.displaced import columns_with_arrows, plane_profile, schematic_panel
from rutile_assets.results.figures.maps import coherent_map, relaxed_map
from rutile_assets.results.figures.plate import Place, Plate, panel_rows, print_plate
from rutile_assets.results.figures.reflectivity import reflectivity
from rutile_assets.results.figures.style import DOUBLE_MM
from rutile_assets.results.figures.tables import figure_table
from rutile_assets.results.figures.transport import (
    bare_conductance,
    bare_density,
    bare_mobility,
    capped_conductance,
    capped_density,
    capped_mobility,
)
from rutile_assets.results.figures.work_function import work_function

FIGURE_1 = Plate(
    "figure_1",
    "Fig. 1: the capped film, its displacements",
    (
        Place("a", 0, 0, 82, 58, reflectivity),
        Place("b", 82, 0, 98, 58, diffraction),
        Place("c", 0, 58, 92, 84, columns_with_arrows),
        Place("d", 92, 58, 50, 84, plane_profile),
        Place("e", 142, 58, 38, 84, schematic_panel),
    ),
)
FIGURE_2 = Plate(
    "figure_2",
    "Fig. 2: the work function against thickness",
    (
        Place("b", 0, 0, 100, 110, work_function),
        Place("c", 100, 0, 80, 55, coherent_map),
        Place("d", 100, 55, 80, 55, relaxed_map),
    ),
    "Panels a and e of the paper are schematics without data.",
)
FIGURE_3 = Plate(
    "figure_3", "Fig. 3: work functions that others have modulated", (Place("", 0, 0, DOUBLE_MM, 90, benchmark),)
)
FIGURE_4 = Plate(
    "figure_4",
    "Fig. 4: transport against thickness",
    (
        Place("a", 0, 0, 85, 60, bare_conductance),
        Place("b", 85, 0, 95, 60, capped_conductance),
        Place("c", 0, 60, 85, 55, bare_density),
        Place("d", 85, 60, 95, 55, capped_density),
        Place("e", 0, 115, 85, 55, bare_mobility),
        Place("f", 85, 115, 95, 55, capped_mobility),
    ),
)
PLATES = {plate.name: plate for plate in (FIGURE_1, FIGURE_2, FIGURE_3, FIGURE_4)}
KINDS = ("python", "matplotlib")


def _print_1(films: Films, imprint: Imprint) -> bytes | None:
    return print_plate(FIGURE_1, films, imprint)


def _print_2(films: Films, imprint: Imprint) -> bytes | None:
    return print_plate(FIGURE_2, films, imprint)


def _print_3(films: Films, imprint: Imprint) -> bytes | None:
    return print_plate(FIGURE_3, films, imprint)


def _print_4(films: Films, imprint: Imprint) -> bytes | None:
    return print_plate(FIGURE_4, films, imprint)


@across_films(
    room="figures",
    reads=("growth", "xrr_fit", "xrd_fit", "afm_image", "afm_roughness", "atom_column", "displacement_plane"),
    writes=(figure_table("figure_1", "Fig. 1: reflectivity, diffraction, surface, displacements"),),
    kinds=KINDS,
    prints=_print_1,
)
def figure_1(films: Films) -> Outcome:
    """Fig. 1 of doi 10.1038/s41467-026-69200-x from this lake: the capped film nearest to 3.8 nm."""
    return panel_rows(FIGURE_1, films)


@across_films(
    room="figures",
    reads=("growth", "work_function", "ups_fit", "rsm_fit"),
    writes=(figure_table("figure_2", "Fig. 2: work function against thickness, reciprocal space maps"),),
    kinds=KINDS,
    prints=_print_2,
)
def figure_2(films: Films) -> Outcome:
    """Fig. 2 of doi 10.1038/s41467-026-69200-x from this lake: panels b, c and d, which hold data."""
    return panel_rows(FIGURE_2, films)


@across_films(
    room="figures",
    reads=("claims",),
    writes=(figure_table("figure_3", "Fig. 3: the benchmark table"),),
    kinds=KINDS,
    prints=_print_3,
)
def figure_3(films: Films) -> Outcome:
    """Fig. 3 of doi 10.1038/s41467-026-69200-x by what is sourced, and this lake's own films."""
    return panel_rows(FIGURE_3, films)


@across_films(
    room="figures",
    reads=("growth", "conductivity", "carriers", "transport_hall"),
    writes=(figure_table("figure_4", "Fig. 4: conductance, density and mobility against thickness"),),
    kinds=KINDS,
    prints=_print_4,
)
def figure_4(films: Films) -> Outcome:
    """Fig. 4 of doi 10.1038/s41467-026-69200-x from this lake: both series at the warmest temperature."""
    return panel_rows(FIGURE_4, films)


FIGURES: tuple[Asset, ...] = (figure_1, figure_2, figure_3, figure_4)
ROOM = Room(name="figures", title="Figures for print", folders=(), check=None, assets=FIGURES)
