-- One row a film: what it is, and how much is known of it.
CREATE OR REPLACE VIEW memory.main.film_passport AS
WITH files AS (
    SELECT
        growth_id,
        count(*) AS files
    FROM memory.main.current_raw_file
    GROUP BY growth_id
),

numbers AS (
    SELECT
        growth_id,
        count(*) AS numbers
    FROM memory.main.results
    WHERE is_current
    GROUP BY growth_id
),

refused AS (
    SELECT
        growth_id,
        count(*) AS refused
    FROM memory.main.rejected_files
    GROUP BY growth_id
)

SELECT
    files.growth_id,
    growth.origin,
    growth.grown_at,
    growth.stack,
    growth.substrate_material,
    growth.substrate_orientation,
    files.files,
    coalesce(numbers.numbers, 0) AS numbers,
    coalesce(refused.refused, 0) AS refused
FROM files
LEFT JOIN lake.growth ON files.growth_id = growth.growth_id
LEFT JOIN numbers ON files.growth_id = numbers.growth_id
LEFT JOIN refused ON files.growth_id = refused.growth_id;
