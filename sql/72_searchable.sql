-- What `rutile search` looks through: notes, file names, what instruments recorded, growth.yaml, numbers.
CREATE OR REPLACE VIEW memory.main.searchable AS
WITH present AS (
    SELECT max(file_id) AS file_id
    FROM lake.raw_file
    GROUP BY growth_id, original_path
),

standing AS (
    SELECT
        raw_file.growth_id,
        raw_file.technique,
        raw_file.original_path,
        raw_file.instrument,
        raw_file.reader,
        raw_file.settings
    FROM lake.raw_file
    SEMI JOIN present ON raw_file.file_id = present.file_id
    WHERE NOT raw_file.is_withdrawn
)

SELECT
    note.growth_id,
    'note' AS kind,
    coalesce(note.about_path, '') AS title,
    concat_ws(' ', note.note_text, regexp_replace(note.tags, '(\S+)', '#\1', 'g'), note.author) AS text
FROM lake.note
UNION ALL
SELECT
    growth_id,
    'file' AS kind,
    original_path AS title,
    concat_ws(' ', technique, reader, instrument) AS text
FROM standing
UNION ALL
SELECT
    growth_id,
    'setting' AS kind,
    original_path AS title,
    settings AS text
FROM standing
WHERE technique <> 'note'
UNION ALL
SELECT
    growth_id,
    'growth' AS kind,
    'growth.yaml' AS title,
    concat_ws(
        ' ', stack, series, growth_method, operator, strftime(grown_at, '%Y-%m-%d %H:%M'), substrate_vendor,
        substrate_treatment, related, growth_notes, origin
    ) AS text
FROM lake.growth
UNION ALL
SELECT
    growth_id,
    'number' AS kind,
    quantity AS title,
    concat_ws(' ', subject, value, unit, method) AS text
FROM results
WHERE is_current AND growth_id IS NOT NULL;
