-- Every number with its uncertainty and where it comes from; is_current marks the newest version of each.
CREATE OR REPLACE VIEW memory.main.results AS
WITH made AS (
    SELECT
        entity_id,
        activity_id,
        (entity_id = max(entity_id) OVER (PARTITION BY asset, growth_id)) AS is_current
    FROM lake.entity
    WHERE kind = 'asset'
)

SELECT
    result.growth_id,
    result.series,
    result.quantity,
    result.subject,
    result.material,
    result.temperature_k,
    result.value,
    result.sigma,
    result.sigma_statistical,
    result.sigma_systematic,
    result.sigma_source,
    result.unit,
    result.method,
    result.technique,
    raw_file.original_path AS source_file,
    made.activity_id,
    made.is_current,
    result.notes,
    result.result_id,
    result.entity_id,
    result.file_id
FROM lake.result
INNER JOIN made ON result.entity_id = made.entity_id
LEFT JOIN lake.raw_file ON result.file_id = raw_file.file_id;
