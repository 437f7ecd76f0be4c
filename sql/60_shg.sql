-- Symmetry and azimuth harmonics of each film's second harmonic against its thickness (XRR's, else the nominal one).
CREATE OR REPLACE VIEW memory.main.shg AS
WITH measured AS (
    SELECT
        growth_id,
        arg_max(value, result_id) AS thickness_nm
    FROM memory.main.results
    WHERE is_current AND technique = 'xrr' AND quantity = 'thickness_nm' AND material = 'RuO2'
    GROUP BY growth_id
),

nominal AS (
    SELECT
        growth_id,
        sum(nominal_thickness_nm) AS thickness_nm
    FROM lake.growth_layer
    WHERE material = 'RuO2'
    GROUP BY growth_id
),

harmonics AS (
    SELECT
        growth_id,
        max(harmonic_amplitude_counts) FILTER (WHERE channel = 'pp' AND harmonic_order = 0) AS pp_mean_counts,
        max(harmonic_amplitude_counts) FILTER (WHERE channel = 'ps' AND harmonic_order = 0) AS ps_mean_counts,
        max(harmonic_amplitude_counts) FILTER (WHERE channel = 'sp' AND harmonic_order = 0) AS sp_mean_counts,
        max(harmonic_amplitude_counts) FILTER (WHERE channel = 'ss' AND harmonic_order = 0) AS ss_mean_counts,
        max(harmonic_amplitude_counts) FILTER (WHERE channel = 'pp' AND harmonic_order = 8) AS pp_eighth_counts
    FROM lake.shg_scan_harmonic
    WHERE is_counted
    GROUP BY growth_id
)

SELECT
    shg_fit.growth_id,
    measured.thickness_nm AS xrr_thickness_nm,
    nominal.thickness_nm AS nominal_thickness_nm,
    shg_fit.angle_of_incidence_deg,
    shg_fit.symmetry,
    shg_fit.shg_delta_bic,
    shg_fit.margin_delta_bic,
    shg_fit.shg_ss_fraction,
    shg_fit.shg_ss_fraction_std,
    shg_fit.shg_ed_fraction,
    shg_fit.shg_ed_fraction_std,
    harmonics.pp_mean_counts,
    harmonics.ps_mean_counts,
    harmonics.sp_mean_counts,
    harmonics.ss_mean_counts,
    harmonics.pp_eighth_counts,
    shg_fit.notes
FROM lake.shg_fit
LEFT JOIN measured ON shg_fit.growth_id = measured.growth_id
LEFT JOIN nominal ON shg_fit.growth_id = nominal.growth_id
LEFT JOIN harmonics ON shg_fit.growth_id = harmonics.growth_id;
