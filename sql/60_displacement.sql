-- Polar displacements with their null: one row a plane, beside the image's test and its thickness against other ways.
CREATE OR REPLACE VIEW memory.main.displacement AS
SELECT
    plane.growth_id,
    raw.original_path AS source_file,
    plane.plane_index,
    plane.element,
    plane.depth_nm,
    plane.displacement_out_of_plane_pm,
    plane.displacement_out_of_plane_pm_std,
    plane.displacement_in_plane_pm,
    plane.displacement_in_plane_pm_std,
    plane.null_pm,
    plane.null_pm_std,
    plane.null_source,
    plane.displacement_less_null_pm,
    plane.displacement_less_null_pm_std,
    plane.displacement_less_null_pm / plane.displacement_less_null_pm_std AS displacement_pull,
    plane.polarization_plane_uc_per_cm2,
    plane.polarization_plane_uc_per_cm2_std,
    image.zero_probability,
    image.null_probability,
    image.ru_planes_count,
    image.ruo2_thickness_nm,
    image.agrees_with_xrr,
    image.agrees_with_laue,
    fit.has_known_sign,
    growth.origin
FROM lake.displacement_plane AS plane
INNER JOIN lake.displacement_plane_image AS image
    ON plane.growth_id = image.growth_id AND plane.file_id = image.file_id
INNER JOIN lake.atom_column_image AS fit
    ON image.growth_id = fit.growth_id AND image.file_id = fit.file_id AND image.image_kind = fit.image_kind
LEFT JOIN memory.main.current_raw_file AS raw ON plane.file_id = raw.file_id
LEFT JOIN lake.growth AS growth ON plane.growth_id = growth.growth_id;
