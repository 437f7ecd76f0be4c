-- Raw files that stand now: the newest row of each path, unless it says that the file left the inbox.
CREATE OR REPLACE VIEW memory.main.current_raw_file AS
SELECT
    file_id,
    sha256,
    growth_id,
    technique,
    original_path,
    instrument,
    acquired_at,
    settings,
    declared,
    reader,
    reader_version,
    data_version,
    activity_id,
    ingested_at,
    is_withdrawn
FROM lake.raw_file
QUALIFY
    file_id = max(file_id) OVER (PARTITION BY growth_id, original_path)
    AND NOT is_withdrawn;
