-- Files and crates that were refused and are not accepted since: the newest refusal of each path.
CREATE OR REPLACE VIEW memory.main.rejected_files AS
SELECT
    refused.growth_id,
    refused.path,
    refused.found,
    refused.expected,
    refused.what_to_do,
    refused.rejected_at,
    refused.sha256,
    refused.rejection_id
FROM lake.rejected_file AS refused
LEFT JOIN lake.raw_file AS accepted
    ON
        refused.growth_id = accepted.growth_id
        AND refused.path = accepted.original_path
        AND refused.rejection_id < accepted.file_id
WHERE
    accepted.file_id IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM lake.origin
        WHERE origin.source_path = refused.path AND origin.origin_id > refused.rejection_id
    )
QUALIFY refused.rejection_id = max(refused.rejection_id) OVER (PARTITION BY refused.growth_id, refused.path)
ORDER BY refused.rejected_at;
