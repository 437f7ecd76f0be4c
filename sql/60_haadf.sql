-- One row a HAADF image: how many frames, whose scale, what the substrate says of it, and what drift left behind.
CREATE OR REPLACE VIEW memory.main.haadf_image AS
SELECT
    image.growth_id,
    raw.original_path AS source_file,
    image.image_series,
    image.detector,
    image.scan_frames_count,
    image.pixel_nm,
    image.pixel_nm_source,
    image.given_pixel_nm,
    image.scale_error_percent,
    image.scale_error_percent_std,
    image.axis_angle_deg,
    image.axis_angle_deg_std,
    image.normal_angle_deg,
    image.drift_reduced_chi_square,
    image.affine_residual_pm,
    image.affine_residual_pm_std,
    image.line_residual_pm,
    image.line_residual_pm_std,
    image.scan_frames_count > 1 AS is_drift_corrected,
    image.notes
FROM lake.haadf AS image
INNER JOIN memory.main.current_raw_file AS raw ON image.file_id = raw.file_id;
