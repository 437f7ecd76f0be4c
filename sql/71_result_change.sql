-- Every current number beside its previous version: what changed, in units of the previous sigma (the data are
-- the same, so the two are not independent and no sigma of the difference is implied), by which activity and why.
CREATE OR REPLACE VIEW memory.main.result_change AS
WITH versions AS (
    SELECT
        entity.entity_id,
        entity.asset,
        entity.growth_id,
        activity.activity_id,
        activity.code_version,
        activity.parameters,
        activity.started_at,
        row_number() OVER (PARTITION BY entity.asset, entity.growth_id ORDER BY entity.entity_id DESC) AS age
    FROM lake.entity
    INNER JOIN lake.activity ON entity.activity_id = activity.activity_id
    WHERE entity.kind = 'asset'
),

files AS (
    SELECT
        edge.child AS entity_id,
        string_agg(parent.data_version, ' ' ORDER BY parent.data_version) AS data_versions
    FROM lake.edge
    INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    WHERE
        parent.kind = 'raw_file'
        AND edge.child IN (
            SELECT versions.entity_id FROM versions
            WHERE versions.age <= 2
        )
    GROUP BY edge.child
),

numbers AS (
    SELECT
        versions.*,
        files.data_versions,
        result.result_id,
        result.growth_id AS film,
        result.series,
        result.quantity,
        result.subject,
        result.value,
        result.sigma,
        result.unit,
        raw_file.original_path,
        row_number() OVER (
            PARTITION BY
                versions.entity_id, result.growth_id, result.series, result.quantity, result.subject,
                raw_file.original_path
            ORDER BY result.result_id
        ) AS place
    FROM versions
    INNER JOIN lake.result ON versions.entity_id = result.entity_id
    LEFT JOIN lake.raw_file ON result.file_id = raw_file.file_id
    LEFT JOIN files ON versions.entity_id = files.entity_id
    WHERE versions.age <= 2
)

SELECT
    now.film AS growth_id,
    now.series,
    now.asset,
    now.quantity,
    now.subject,
    before.value AS previous_value,
    before.sigma AS previous_sigma,
    now.value,
    now.sigma,
    now.unit,
    now.value - before.value AS difference,
    CASE WHEN before.sigma > 0 THEN (now.value - before.value) / before.sigma END AS difference_in_sigma_pull,
    concat_ws(
        ', ',
        CASE WHEN now.code_version <> before.code_version THEN 'code' END,
        CASE WHEN now.parameters <> before.parameters THEN 'parameters' END,
        CASE WHEN now.data_versions IS DISTINCT FROM before.data_versions THEN 'files' END,
        CASE
            WHEN
                now.code_version = before.code_version
                AND now.parameters = before.parameters
                AND now.data_versions IS NOT DISTINCT FROM before.data_versions
                AND (now.value <> before.value OR now.sigma IS DISTINCT FROM before.sigma)
                THEN 'upstream'
        END
    ) AS reason,
    before.code_version AS previous_code_version,
    now.code_version,
    before.activity_id AS previous_activity_id,
    now.activity_id,
    before.started_at AS previous_started_at,
    now.started_at,
    before.result_id AS previous_result_id,
    now.result_id,
    now.original_path AS source_file
FROM numbers AS now
INNER JOIN numbers AS before
    ON
        now.asset = before.asset
        AND now.growth_id IS NOT DISTINCT FROM before.growth_id
        AND now.film IS NOT DISTINCT FROM before.film
        AND now.series IS NOT DISTINCT FROM before.series
        AND now.quantity = before.quantity
        AND now.subject = before.subject
        AND now.original_path IS NOT DISTINCT FROM before.original_path
        AND now.place = before.place
WHERE now.age = 1 AND before.age = 2;
