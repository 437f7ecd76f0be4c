"""How far a simulated lab is from an ideal one: every imperfection that the forward models know, with its size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Realism:
    """Imperfections of sample, instrument and operator.

    The defaults are those of a well-kept lab. What the analysis is told about by the files (attenuator factors,
    beam width, which electrode carries the bias) differs from the truth by the errors below.

    Parameters
    ----------
    thickness_scatter, density_scatter : float
        Relative standard deviation of a layer's true thickness about its nominal one, and of its density about the
        crystal's.
    attenuator_error : float
        Relative standard deviation of each absorber's true factor about the one in the file.
    two_theta_zero_deg : float
        Standard deviation of the goniometer's zero [deg].
    rsm_zero_deg : float
        Standard deviation of the zero of omega (and of chi) in a map; that of 2theta is 0.6 times it [deg].
    terrace_share : float
        XRD, RSM: part of a layer's roughness that is steps of whole planes between terraces that scatter together; it
        spreads the occupancy of the layer's top planes.
    beam_width_error : float
        Relative standard deviation of the true beam width about the one in the sidecar.
    k_alpha_2_fraction : float
        Intensity of K alpha 2 over K alpha 1; 0 behind a crystal monochromator, 0.5 without one.
    adsorbate_nm : float
        Scale of the half-normal distribution of the CH2 layer (1 g/cm3) that air leaves on the film [nm].
    intensity_scatter : float
        Relative standard deviation of each point's intensity beyond counting (tube, detector).
    miscut_deg : float
        Miscut of the substrate [deg].
    line_jump_nm, tilt_nm, bow_nm, drift_nm, height_noise_nm : float
        AFM: standard deviation of the offset of each line; sample tilt, scanner bow and thermal drift over the whole
        image; white noise of a pixel [nm].
    tip_change_probability : float
        AFM: chance that the tip changes during the image (a step in height, a blunter tip).
    potential_noise_v, potential_line_noise_v : float
        KPFM: white noise of a pixel and offset of each line, standard deviations [V].
    tip_drift_v, tip_offset_v : float
        KPFM: drift of the tip over one map about its middle, and the change of the tip from map to map, standard
        deviations [V].
    tip_scatter_ev, session_drift_ev : float
        KPFM: standard deviations of a tip's work function about 4.95 eV, from session to session, and of its drift from
        the first to the last sample of a session [eV].
    analyser_zero_ev, secondary_rise_ev, analyser_gain : float
        UPS: standard deviations of the zero of the kinetic energy axis, of the rise of the secondaries about 0.15 eV
        [eV], and of the relative error of the axis' scale.
    secondary_onset_power, density_curvature_per_ev2 : float
        UPS: standard deviations of the power with which secondaries begin, about 1, and of the curvature of a metal's
        density of states at the Fermi level, relative.
    he_satellite_fraction : float
        UPS: intensity of He I beta over alpha.
    shg_zero_deg, shg_backlash_deg, shg_jitter_deg : float
        SHG: standard deviation of the azimuth's zero, the stage's backlash at the start of a turn, and the standard
        deviation of each point's azimuth [deg].
    shg_drift, shg_reference_noise : float
        SHG: relative drift of the laser's power over a scan, and relative noise of the diode that watches it.
    resistance_noise, hall_noise_ohm : float
        Transport: relative noise of a longitudinal reading; noise of a Hall reading [ohm].
    hall_offset_ohm, hall_drift_ohm : float
        Transport: scale of the constant voltage offset and of the linear drift over a field loop [ohm].
    hall_pickup : float
        Transport: part of the longitudinal resistance that misaligned contacts add to the Hall reading.
    magnetoresistance_per_t2 : float
        Transport: relative growth of the longitudinal resistance with the square of the field [1/T^2].
    temperature_noise_k : float
        Transport: noise of the thermometer [K].
    pyrometer_calibration_c, thermocouple_calibration_c, gauge_calibration : float
        Growth log: standard deviations of the sensors' constant errors [deg C, deg C, relative].
    pyrometer_noise_c, thermocouple_noise_c, source_noise_c, flow_noise_torr, gauge_noise : float
        Growth log: white noise of the sensors [deg C, torr], that of the ion gauge relative.
    substrate_wander_c : float
        Growth log: standard deviation of the substrate's own slow wander [deg C].
    log_spike_probability : float
        Growth log: chance that a reading is a spike.
    bad_file_probability : float
        Chance that a film of no fixed plan comes with one bad file.
    """

    thickness_scatter: float = 0.02
    density_scatter: float = 0.004
    attenuator_error: float = 0.002
    two_theta_zero_deg: float = 0.002
    rsm_zero_deg: float = 0.05
    terrace_share: float = 0.5
    beam_width_error: float = 0.0
    k_alpha_2_fraction: float = 0.0
    adsorbate_nm: float = 0.3
    intensity_scatter: float = 0.0
    miscut_deg: float = 0.1
    line_jump_nm: float = 0.15
    tilt_nm: float = 4.0
    bow_nm: float = 0.1
    drift_nm: float = 0.3
    height_noise_nm: float = 0.02
    tip_change_probability: float = 0.1
    potential_noise_v: float = 4e-4
    potential_line_noise_v: float = 2e-4
    tip_drift_v: float = 5e-4
    tip_offset_v: float = 3e-3
    tip_scatter_ev: float = 0.08
    session_drift_ev: float = 0.01
    analyser_zero_ev: float = 0.05
    secondary_rise_ev: float = 0.05
    analyser_gain: float = 3e-4
    secondary_onset_power: float = 0.15
    density_curvature_per_ev2: float = 0.05
    he_satellite_fraction: float = 0.015
    shg_zero_deg: float = 2.0
    shg_backlash_deg: float = 0.3
    shg_jitter_deg: float = 0.1
    shg_drift: float = 0.02
    shg_reference_noise: float = 0.002
    resistance_noise: float = 1e-5
    hall_noise_ohm: float = 2e-4
    hall_offset_ohm: float = 3.0
    hall_drift_ohm: float = 1e-3
    hall_pickup: float = 0.02
    magnetoresistance_per_t2: float = 1e-6
    temperature_noise_k: float = 0.005
    pyrometer_calibration_c: float = 3.0
    thermocouple_calibration_c: float = 2.2
    gauge_calibration: float = 0.1
    pyrometer_noise_c: float = 0.3
    thermocouple_noise_c: float = 0.1
    source_noise_c: float = 0.05
    flow_noise_torr: float = 0.0005
    gauge_noise: float = 0.01
    substrate_wander_c: float = 0.5
    log_spike_probability: float = 0.002
    bad_file_probability: float = 0.15


IDEAL = Realism(
    thickness_scatter=0.0,
    density_scatter=0.0,
    attenuator_error=0.0,
    two_theta_zero_deg=0.0,
    rsm_zero_deg=0.0,
    terrace_share=0.0,
    adsorbate_nm=0.0,
    line_jump_nm=0.0,
    tilt_nm=0.0,
    bow_nm=0.0,
    drift_nm=0.0,
    height_noise_nm=0.0,
    tip_change_probability=0.0,
    potential_noise_v=0.0,
    potential_line_noise_v=0.0,
    tip_drift_v=0.0,
    tip_offset_v=0.0,
    tip_scatter_ev=0.0,
    session_drift_ev=0.0,
    analyser_zero_ev=0.0,
    secondary_rise_ev=0.0,
    analyser_gain=0.0,
    secondary_onset_power=0.0,
    density_curvature_per_ev2=0.0,
    he_satellite_fraction=0.0,
    shg_zero_deg=0.0,
    shg_backlash_deg=0.0,
    shg_jitter_deg=0.0,
    shg_drift=0.0,
    shg_reference_noise=0.0,
    resistance_noise=0.0,
    hall_noise_ohm=0.0,
    hall_offset_ohm=0.0,
    hall_drift_ohm=0.0,
    hall_pickup=0.0,
    magnetoresistance_per_t2=0.0,
    temperature_noise_k=0.0,
    pyrometer_calibration_c=0.0,
    thermocouple_calibration_c=0.0,
    gauge_calibration=0.0,
    pyrometer_noise_c=0.0,
    thermocouple_noise_c=0.0,
    source_noise_c=0.0,
    flow_noise_torr=0.0,
    gauge_noise=0.0,
    substrate_wander_c=0.0,
    log_spike_probability=0.0,
    bad_file_probability=0.0,
)
