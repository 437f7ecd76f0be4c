-- One row a 4D-STEM scan: can it be reconstructed, what was given by whom, and what the data say against it.
CREATE OR REPLACE VIEW memory.main.stem4d AS
SELECT
    scan.growth_id,
    raw.original_path AS source_file,
    scan.scan_slow_count,
    scan.scan_fast_count,
    scan.scan_step_nm,
    scan.scan_step_nm_source,
    scan.detector_pixel_mrad,
    scan.detector_pixel_mrad_source,
    scan.pixel_from_disc_mrad,
    scan.pixel_from_disc_mrad_std,
    scan.pixel_disagreement_pull,
    scan.detector_transpose,
    scan.detector_rotation_deg,
    scan.detector_rotation_deg_std,
    scan.orientation_source,
    scan.electrons_per_pattern_count,
    scan.electrons_from_current_count,
    scan.missing_frames_count,
    scan.saturated_pixels_count,
    scan.accelerating_voltage_kv IS NOT NULL
    AND scan.convergence_semi_angle_mrad IS NOT NULL
    AND scan.detector_pixel_mrad IS NOT NULL
    AND scan.scan_step_nm IS NOT NULL
    AND scan.overfocus_nm IS NOT NULL
    AND scan.gain_factor IS NOT NULL
    AND scan.detector_rotation_deg IS NOT NULL AS is_calibrated,
    scan.notes
FROM lake.stem4d_calibration AS scan
INNER JOIN memory.main.current_raw_file AS raw ON scan.file_id = raw.file_id;
