-- Everything that a number was made from, down to the raw files: FROM trace_of(result_id), one row a step.
CREATE OR REPLACE MACRO memory.main.trace_of(wanted_result_id) AS TABLE
    WITH RECURSIVE number AS (
        SELECT
            entity_id,
            file_id
        FROM lake.result
        WHERE result_id = wanted_result_id
    ),

    -- versions that read the one file that the number rests on: the other files that they read do not count
    narrowed AS (
        SELECT DISTINCT edge.child
        FROM lake.edge
        INNER JOIN number ON edge.parent = number.file_id
    ),

    up AS (
        SELECT entity_id FROM number
        UNION
        SELECT edge.parent
        FROM up
        INNER JOIN lake.edge ON up.entity_id = edge.child
        LEFT JOIN narrowed ON edge.child = narrowed.child
        LEFT JOIN number ON edge.parent = number.file_id
        WHERE edge.role <> 'file' OR narrowed.child IS NULL OR number.file_id IS NOT NULL
    )

    SELECT
        entity.entity_id,
        entity.kind,
        entity.asset,
        entity.growth_id,
        raw_file.original_path,
        raw_file.sha256,
        entity.data_version,
        activity.code_version,
        activity.parameters,
        activity.snapshot,
        activity.started_at,
        run.git_commit,
        run.git_dirty,
        environment.python,
        environment.environment_id
    FROM up
    INNER JOIN lake.entity ON up.entity_id = entity.entity_id
    LEFT JOIN lake.activity ON entity.activity_id = activity.activity_id
    LEFT JOIN lake.raw_file ON entity.entity_id = raw_file.file_id
    LEFT JOIN lake.run ON activity.run_id = run.run_id
    LEFT JOIN lake.environment ON run.environment_id = environment.environment_id;

-- The raw files that a number rests on: FROM files_of(result_id).
CREATE OR REPLACE MACRO memory.main.files_of(wanted_result_id) AS TABLE
    SELECT
        entity_id AS file_id,
        growth_id,
        original_path,
        sha256
    FROM memory.main.trace_of(wanted_result_id)
    WHERE kind = 'raw_file'
    ORDER BY growth_id, original_path;

-- The current numbers that rest on a raw file: FROM resting_on(file_id).
CREATE OR REPLACE MACRO memory.main.resting_on(wanted_file_id) AS TABLE
    WITH RECURSIVE wanted AS (
        SELECT wanted_file_id::bigint AS file_id
    ),

    down AS (
        SELECT file_id AS entity_id FROM wanted
        UNION
        SELECT edge.child
        FROM lake.edge
        INNER JOIN down ON edge.parent = down.entity_id
    )

    SELECT
        results.growth_id,
        results.series,
        results.quantity,
        results.subject,
        results.value,
        results.sigma,
        results.unit,
        results.result_id,
        results.entity_id
    FROM memory.main.results
    WHERE
        results.entity_id IN (SELECT down.entity_id FROM down)
        AND results.is_current
        AND (results.file_id IS NULL OR results.file_id IN (SELECT wanted.file_id FROM wanted));
