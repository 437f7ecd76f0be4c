-- Reconstructions and what they are worth: noise floor, slices thin enough, halves that agree.
CREATE OR REPLACE VIEW memory.main.ptychography_quality AS
SELECT
    made.growth_id,
    raw.original_path AS source_file,
    made.recipe,
    made.computed_on,
    made.modes_count,
    made.slices_count,
    made.slice_thickness_nm,
    made.object_pixel_nm,
    made.iterations_count,
    made.chi_square_ratio,
    made.phase_per_slice_rad,
    made.ring_fraction,
    made.slices_count >= made.suggested_slices_count AND made.ring_fraction <= 0.01 AS has_thin_slices,
    made.half_data_resolution_nm,
    made.object_array,
    made.notes
FROM lake.ptychography AS made
INNER JOIN lake.raw_file AS raw ON made.file_id = raw.file_id;
