-- Planes of each layer from Laue oscillations beside the thickness that reflectivity gives it.
CREATE OR REPLACE VIEW memory.main.xrd AS
WITH reflectivity AS (
    SELECT
        growth_id,
        subject,
        arg_max(value, result_id) AS thickness_nm,
        arg_max(sigma, result_id) AS thickness_nm_std
    FROM memory.main.results
    WHERE is_current AND technique = 'xrr' AND quantity = 'thickness_nm'
    GROUP BY growth_id, subject
)

SELECT
    fit.growth_id,
    fit.layer_index,
    fit.material,
    fit.planes_count,
    fit.planes_count_std,
    fit.plane_spacing_nm,
    fit.strain_out_of_plane_percent,
    fit.laue_thickness_nm,
    fit.laue_thickness_nm_std,
    reflectivity.thickness_nm AS xrr_thickness_nm,
    reflectivity.thickness_nm_std AS xrr_thickness_nm_std,
    (fit.laue_thickness_nm - reflectivity.thickness_nm)
    / sqrt(fit.laue_thickness_nm_std ** 2 + reflectivity.thickness_nm_std ** 2) AS difference_pull,
    fit.reduced_chi_square,
    fit.notes
FROM lake.xrd_fit AS fit
LEFT JOIN reflectivity
    ON
        fit.growth_id = reflectivity.growth_id
        AND fit.layer_index || ' ' || fit.material = reflectivity.subject;
