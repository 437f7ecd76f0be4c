"""What is true of a simulated film: its layers, its surface, its work function and its transport.

The curves go through the numbers of Jeong et al., Nat. Commun. (2026), doi 10.1038/s41467-026-69200-x, where it gives
them. Where it only describes a shape (how far the work function falls, how deep the dip of the density is, what happens
on cooling) the numbers here are chosen, and each such place says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.physics.crystal import rutile
from rutile_assets.simulation.growth_steps import FILMED_NM, growth_truth, layers_per_s
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.shg import dipole_fraction, ss_fraction
from rutile_assets.units import unit_of

FloatArray = npt.NDArray[np.float64]

UNCAPPED = "RuO2/TiO2"
TRILAYER = "TiO2/RuO2/TiO2"
SUBSTRATE = "TiO2"

D110_TIO2_NM = 0.3248
BUFFER_NM = CAP_NM = 2.5
TIO2_G_PER_CM3, RUO2_G_PER_CM3 = 4.248, 7.050
TIP_WORK_FUNCTION_EV = 4.95  # chosen: a platinum-coated tip in air
TEMPERATURES_K = (300.0, 100.0, 1.8)


@dataclass(frozen=True)
class LayerTruth:
    """One layer.

    Parameters
    ----------
    material : str
        Chemical formula.
    nominal_thickness_nm, thickness_nm : float
        As meant, and as it is [nm].
    roughness_nm : float
        Standard deviation of the error-function profile of its upper interface [nm].
    density_g_per_cm3 : float
        Mass density.
    role : str
        ``buffer``, ``film`` or ``cap``.
    """

    material: str
    nominal_thickness_nm: float
    thickness_nm: float
    roughness_nm: float
    density_g_per_cm3: float
    role: str


@dataclass(frozen=True)
class TransportTruth:
    """Transport at one temperature.

    Parameters
    ----------
    temperature_k : float
        Temperature [K].
    sheet_resistance_ohm : float
        R_s [ohm].
    sheet_density_per_cm2 : float
        n_2D of one kind of carriers [1/cm^2].
    carrier_sign : int
        -1 for electrons.
    """

    temperature_k: float
    sheet_resistance_ohm: float
    sheet_density_per_cm2: float
    carrier_sign: int = -1

    @property
    def sigma_2d_s(self) -> float:
        """1 / R_s [S]."""
        return 1.0 / self.sheet_resistance_ohm

    @property
    def mobility_cm2_per_vs(self) -> float:
        """sigma_2D / (e n_2D) [cm^2/Vs]."""
        return self.sigma_2d_s / (ELEMENTARY_CHARGE_C.value * self.sheet_density_per_cm2)

    @property
    def hall_slope_ohm_per_t(self) -> float:
        """Slope of R_xy over mu0 H, sign / (e n_2D) [ohm/T]; negative for electrons."""
        return self.carrier_sign / (ELEMENTARY_CHARGE_C.value * self.sheet_density_per_cm2 * 1e4)


@dataclass(frozen=True)
class TrueQuantity:
    """One number that an analysis may find.

    Parameters
    ----------
    quantity, subject : str
        As in the view `results`.
    value : float
        In the unit of the quantity's name.
    material : str or None
        The layer's material, for quantities of a layer.
    temperature_k : float or None
        For transport.
    """

    quantity: str
    subject: str
    value: float
    material: str | None = None
    temperature_k: float | None = None

    def as_dict(self, growth_id: str) -> dict[str, object]:
        """Return it as a row of truth.json, with its unit."""
        return {"growth_id": growth_id, **asdict(self), "unit": unit_of(self.quantity)}


@dataclass(frozen=True)
class TipVisit:
    """A sample under one tip of the Kelvin probe, from putting it in to taking it out.

    Parameters
    ----------
    tip : str
        Name of the tip; a session uses one.
    started_at : datetime
        Of the first map.
    tip_work_function_ev : float
        At the middle of the maps [eV].
    maps : int
        How many.
    """

    tip: str
    started_at: datetime
    tip_work_function_ev: float
    maps: int

    @property
    def subject(self) -> str:
        """What the KPFM room calls it where a sample was measured more than once."""
        return f"tip {self.tip}, {self.started_at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class FilmTruth:
    """Everything that is true of one film.

    Parameters
    ----------
    growth_id : str
        Its name.
    series : str
        ``RuO2/TiO2``, ``TiO2/RuO2/TiO2``, or ``TiO2`` for a substrate without a film.
    layers : tuple of LayerTruth
        Bottom to top, above the substrate.
    substrate_roughness_nm : float
        Of the substrate's surface [nm].
    adsorbate_nm : float
        CH2 that air left on top; no quantity of the film [nm].
    work_function_ev, tip_work_function_ev : float
        Of the film's surface and of the tip [eV].
    sq_pm : float
        Root mean square height of the surface about its mean plane, steps included [pm].
    transport : tuple of TransportTruth
        One for each temperature.
    visits : tuple of TipVisit
        When it lay under which tip; where there is none, one tip of `tip_work_function_ev`.
    """

    growth_id: str
    series: str
    layers: tuple[LayerTruth, ...]
    substrate_roughness_nm: float
    adsorbate_nm: float
    work_function_ev: float
    tip_work_function_ev: float
    sq_pm: float
    transport: tuple[TransportTruth, ...]
    visits: tuple[TipVisit, ...] = ()

    @property
    def film(self) -> LayerTruth:
        """The RuO2 layer."""
        return next(layer for layer in self.layers if layer.role == "film")

    @property
    def v_cpd_v(self) -> float:
        """Tip bias that nulls, sample grounded: (Phi_tip - Phi_sample)/e [V]."""
        return self.tip_work_function_ev - self.work_function_ev

    def quantities(self) -> tuple[TrueQuantity, ...]:
        """Return what the rooms may find, under the names and subjects that they use.

        A buffer of the substrate's own density is part of the substrate: it has no thickness that could be measured,
        its upper interface counts as the substrate's, and the total thickness begins above it.
        """
        visible = [(number, layer) for number, layer in enumerate(self.layers, start=1) if layer.role != "buffer"]
        found = []
        for number, layer in visible:
            subject = f"{number} {layer.material}"
            found += [
                TrueQuantity("thickness_nm", subject, layer.thickness_nm, layer.material),
                TrueQuantity("roughness_nm", subject, layer.roughness_nm, layer.material),
                TrueQuantity("density_g_per_cm3", subject, layer.density_g_per_cm3, layer.material),
            ]
            spacing = plane_spacing_nm(layer.material, layer.thickness_nm)
            found += [
                TrueQuantity("planes_count", subject, layer.thickness_nm / spacing, layer.material),
                TrueQuantity("plane_spacing_nm", subject, spacing, layer.material),
                TrueQuantity("laue_thickness_nm", subject, layer.thickness_nm, layer.material),
                TrueQuantity(
                    "strain_out_of_plane_percent",
                    subject,
                    100.0 * (spacing / rutile(layer.material).d110_nm - 1.0),
                    layer.material,
                ),
            ]
        below = [layer.roughness_nm for layer in self.layers if layer.role == "buffer"]
        found += [
            TrueQuantity("roughness_nm", "substrate", below[-1] if below else self.substrate_roughness_nm),
            TrueQuantity("roughness_sq_pm", "", self.sq_pm),
            TrueQuantity("work_function_ev", "", self.work_function_ev),
            TrueQuantity("work_function_kpfm_ev", "", self.work_function_ev),
            *self._contact_potentials(),
        ]
        if visible:
            found.append(TrueQuantity("total_thickness_nm", "", sum(layer.thickness_nm for _, layer in visible)))
            found += [
                TrueQuantity(f"relaxation_{direction}_fraction", "", relaxed, self.film.material)
                for direction, relaxed in zip(("001", "1m10"), relaxation(self.film.thickness_nm), strict=True)
            ]
        if visible and self.series == UNCAPPED:
            found += [
                TrueQuantity("shg_ed_fraction", "", dipole_fraction(self.film.thickness_nm)),
                TrueQuantity("shg_ss_fraction", "", ss_fraction(self.film.thickness_nm)),
            ]
        found += [TrueQuantity(*known) for known in growth_truth([(v.material, v.thickness_nm) for v in self.layers])]
        if self.series == UNCAPPED and self.film.nominal_thickness_nm in FILMED_NM:
            rate = layers_per_s(plane_spacing_nm("RuO2", self.film.thickness_nm))
            found.append(TrueQuantity("growth_rate_layers_per_s", "", rate))
            found.append(TrueQuantity("oscillation_period_s", "", 1.0 / rate))
        for state in self.transport:
            subject = f"{state.temperature_k:g} K"
            for quantity in (
                "sheet_resistance_ohm",
                "sigma_2d_s",
                "sheet_density_per_cm2",
                "mobility_cm2_per_vs",
                "hall_slope_ohm_per_t",
            ):
                value = float(getattr(state, quantity))
                found.append(TrueQuantity(quantity, subject, value, None, state.temperature_k))
        return tuple(found)

    def _contact_potentials(self) -> list[TrueQuantity]:
        if len(self.visits) < 2:
            return [TrueQuantity("v_cpd_v", "", self.v_cpd_v)]
        return [
            TrueQuantity("v_cpd_v", visit.subject, visit.tip_work_function_ev - self.work_function_ev)
            for visit in self.visits
        ]


def work_function_ev(thickness_nm: float) -> float:
    """Return the work function of uncapped RuO2 [eV].

    4.1 (bulk TiO2) at 0, 4.25 at 1.5, the peak 5.40 at 3.5, 5.05 at 17.2 nm, linear above 7 nm (paper). The values at
    5 and 7 nm, 5.06 and 4.78 eV, are chosen.
    """
    if thickness_nm >= 7.0:
        return float(4.78 + (5.05 - 4.78) * (thickness_nm - 7.0) / (17.2 - 7.0))
    return float(PchipInterpolator([0.0, 1.5, 3.5, 5.0, 7.0], [4.10, 4.25, 5.40, 5.06, 4.78])(max(thickness_nm, 0.0)))


def capped_work_function_ev(thickness_nm: float) -> float:
    """Return the work function of a TiO2 cap on RuO2 [eV]: near TiO2's 4.1, with a weak rise (chosen)."""
    return float(4.12 + 0.03 * (1.0 - np.exp(-thickness_nm / 4.0)))


def plane_spacing_nm(material: str, thickness_nm: float) -> float:
    """Return the spacing of (110) planes along the normal [nm].

    TiO2 has its own. RuO2 keeps 0.32248 nm while it is coherent (the elastic prediction with TiO2's constants) and goes
    to its bulk 0.31797 nm as it relaxes, half-way at 9 nm (chosen; the onset between 4 and 6.5 nm is the paper's).
    """
    if material != "RuO2":
        return 0.1 * 4.5937 / float(np.sqrt(2.0))
    bulk, coherent = 0.1 * 4.4968 / float(np.sqrt(2.0)), 0.32248
    return coherent + (bulk - coherent) * relaxation(thickness_nm)[0]


def relaxation(thickness_nm: float) -> tuple[float, float]:
    """Return R along [001] and along [1-10] of uncapped RuO2: 0 coherent, 1 bulk.

    [001] begins at 4.5 nm and is half-way at 9 nm (chosen within the paper's 4 to 6.5 nm); along [1-10] the tension
    persists to 17 nm (paper), with a tenth of the other's relaxation (chosen).
    """
    relaxed = 1.0 - float(np.exp(-max(thickness_nm - 4.5, 0.0) / 6.5))
    return relaxed, 0.1 * relaxed


# (sigma_b [S/cm], x0 = intercept of the line [nm]); 300 K from the paper, on cooling both rise (paper), sizes chosen
CHANNELS: dict[str, dict[float, tuple[float, float]]] = {
    UNCAPPED: {300.0: (15875.0, 1.59), 100.0: (27000.0, 1.66), 1.8: (33500.0, 1.71)},
    TRILAYER: {300.0: (11700.0, 0.71), 100.0: (19300.0, 0.76), 1.8: (23600.0, 0.80)},
}
INTERFACE_RATIO = 4117.0 / 15875.0  # sigma_i / sigma_b, from the paper's 4,117 S/cm; kept for every line


def sigma_2d_s(series: str, thickness_nm: float, temperature_k: float) -> float:
    """Return the two-channel sheet conductance with its kink [S].

    t_i = x0 / (1 - sigma_i/sigma_b); t sigma_b - t_i (sigma_b - sigma_i) above t_i, t sigma_i below: the paper's line
    wherever the film is thicker than its interface, and positive down to nothing.
    """
    bulk, intercept = CHANNELS[series][temperature_k]
    interface = bulk * INTERFACE_RATIO
    kink = intercept / (1.0 - INTERFACE_RATIO)
    if thickness_nm >= kink:
        in_s_per_cm_nm = thickness_nm * bulk - kink * (bulk - interface)
    else:
        in_s_per_cm_nm = thickness_nm * interface
    return in_s_per_cm_nm * 1e-7


def sheet_density_per_cm2(series: str, thickness_nm: float) -> float:
    """Return n_2D [1/cm^2]: a constant n_3D times the thickness, less what is localised near one thickness.

    The dip at 3.5 nm (uncapped) and the featureless rise (trilayer) are the paper's; depth, width and n_3D = 1e22
    1/cm^3, which grows by a third as the film relaxes so that the mobility falls, are chosen. With `sigma_2d_s` they
    put the peak of the mobility at 3.55 and 1.95 nm. The density is taken to be the same at all temperatures.
    """
    centre, depth, width = (3.5, 0.55, 0.7) if series == UNCAPPED else (1.8, 0.45, 0.9)
    relaxed = 1.0 / (1.0 + np.exp(-(thickness_nm - 6.0) / 1.0)) if series == UNCAPPED else 0.0
    localised = depth * np.exp(-(((thickness_nm - centre) / width) ** 2))
    return float(1e22 * (1.0 + relaxed / 3.0) * thickness_nm * 1e-7 * (1.0 - localised))


def film_truth(
    growth_id: str,
    series: str,
    nominal_nm: float,
    realism: Realism,
    rng: np.random.Generator,
    temperatures_k: Sequence[float] = TEMPERATURES_K,
) -> FilmTruth:
    """Draw the truth of one film.

    Parameters
    ----------
    growth_id, series : str
        Its name; ``RuO2/TiO2`` or ``TiO2/RuO2/TiO2``.
    nominal_nm : float
        Nominal thickness of the RuO2 layer [nm].
    realism : Realism
        Scatter of thickness and density, size of the adsorbate.
    rng : Generator
        The film's own.
    temperatures_k : sequence of float
        Where transport is measured; keys of `CHANNELS`.
    """
    if series == SUBSTRATE:
        return substrate_truth(growth_id, realism, rng)
    trilayer = series == TRILAYER
    stack = [("TiO2", BUFFER_NM, "buffer")] if trilayer else []
    stack += [("RuO2", nominal_nm, "film")]
    stack += [("TiO2", CAP_NM, "cap")] if trilayer else []
    layers = []
    for material, nominal, role in stack:
        scatter, rough, weight = rng.normal(), rng.uniform(), rng.normal()
        density = RUO2_G_PER_CM3 if material == "RuO2" else TIO2_G_PER_CM3
        if role != "buffer":  # a homoepitaxial buffer has the substrate's density exactly
            density *= 1.0 + realism.density_scatter * weight
        layers.append(
            LayerTruth(
                material,
                nominal,
                nominal * (1.0 + realism.thickness_scatter * scatter),
                (0.22 if role == stack[-1][2] else 0.18) + 0.08 * rough,
                density,
                role,
            )
        )
    true_nm = next(layer.thickness_nm for layer in layers if layer.role == "film")
    substrate_roughness, adsorbate, sq = 0.15 + 0.08 * rng.uniform(), abs(rng.normal()), rng.normal()
    transport = tuple(
        TransportTruth(t, 1.0 / sigma_2d_s(series, true_nm, t), sheet_density_per_cm2(series, true_nm))
        for t in temperatures_k
    )
    return FilmTruth(
        growth_id,
        series,
        tuple(layers),
        substrate_roughness,
        realism.adsorbate_nm * adsorbate,
        capped_work_function_ev(true_nm) if trilayer else work_function_ev(true_nm),
        TIP_WORK_FUNCTION_EV,
        155.0 + 8.0 * sq if trilayer else 200.0 + 12.0 * sq,
        transport,
    )


def substrate_truth(growth_id: str, realism: Realism, rng: np.random.Generator) -> FilmTruth:
    """Draw the truth of a TiO2 (110) substrate without a film: 4.1 eV (paper), 130 pm (chosen)."""
    rough, adsorbate, sq = rng.uniform(), abs(rng.normal()), rng.normal()
    return FilmTruth(
        growth_id,
        SUBSTRATE,
        (),
        0.15 + 0.08 * rough,
        realism.adsorbate_nm * adsorbate,
        work_function_ev(0.0),
        TIP_WORK_FUNCTION_EV,
        130.0 + 6.0 * sq,
        (),
    )
