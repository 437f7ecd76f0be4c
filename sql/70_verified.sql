-- When each current number was last recomputed from the vault, and how that came out; others are not here.
CREATE OR REPLACE VIEW memory.main.verified AS
SELECT
    results.growth_id,
    results.series,
    results.technique,
    results.quantity,
    results.subject,
    results.value,
    results.sigma,
    results.unit,
    verification.verified_at,
    verification.verification_verdict AS verdict,
    verification.value AS recomputed_value,
    verification.sigma AS recomputed_sigma,
    verification.difference,
    verification.tolerance,
    verification.reason,
    verification.environment_id,
    verification.code_version,
    verification.activity_id,
    results.result_id
FROM lake.verification
INNER JOIN results ON verification.result_id = results.result_id
WHERE results.is_current
QUALIFY
    verification.verification_id
    = max(verification.verification_id) OVER (PARTITION BY verification.result_id);
