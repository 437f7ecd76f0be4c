-- Bulk conductivity, intercept, interface and carriers of each series at each temperature, in one row.
CREATE OR REPLACE VIEW memory.main.conductivity_overview AS
SELECT
    conductivity.series,
    conductivity.temperature_k,
    conductivity.films_count,
    conductivity.channel_shape,
    conductivity.bulk_conductivity_s_per_cm,
    conductivity.bulk_conductivity_s_per_cm_std,
    conductivity.line_intercept_nm,
    conductivity.line_intercept_nm_std,
    conductivity.interface_conductivity_s_per_cm,
    conductivity.interface_conductivity_s_per_cm_std,
    conductivity.interface_thickness_nm,
    conductivity.interface_thickness_nm_std,
    carriers.density_dip_thickness_nm,
    carriers.density_dip_thickness_nm_std,
    carriers.mobility_peak_thickness_nm,
    carriers.mobility_peak_thickness_nm_std,
    carriers.carrier_density_per_cm3,
    carriers.carrier_density_per_cm3_std,
    conductivity.film_scatter_ratio,
    conductivity.notes
FROM lake.conductivity
LEFT JOIN lake.carriers
    ON conductivity.series = carriers.series AND conductivity.temperature_k = carriers.temperature_k;

-- Films that the line does not foretell: those below the kink, and those off by more than three sigma.
CREATE OR REPLACE VIEW memory.main.conductivity_excluded AS
SELECT
    growth_id,
    series,
    temperature_k,
    trend_thickness_nm,
    is_on_line,
    sigma_2d_s,
    line_2d_s,
    CASE WHEN line_2d_s > 0 THEN sigma_2d_s / line_2d_s END AS observed_over_line_ratio,
    foretold_2d_s,
    foretold_2d_s_std,
    (sigma_2d_s - foretold_2d_s) / sqrt(sigma_2d_s_std ** 2 + foretold_2d_s_std ** 2) AS off_by_sigma
FROM lake.conductivity_point
WHERE
    NOT is_on_line
    OR abs(sigma_2d_s - foretold_2d_s) > 3 * sqrt(sigma_2d_s_std ** 2 + foretold_2d_s_std ** 2);

-- Events of each series in the order of their thickness, and how sure that order is.
CREATE OR REPLACE VIEW memory.main.onset_order AS
SELECT
    series,
    first_event,
    second_event,
    ordering_distance_nm,
    ordering_distance_nm_std,
    ordering_probability
FROM lake.onset_ordering
WHERE ordering_distance_nm > 0
ORDER BY series ASC, ordering_probability DESC;
