-- The paper's claims beside what tests them: what is contradicted first; found_result_id leads to the lineage.
CREATE OR REPLACE VIEW memory.main.paper_claims AS
SELECT
    claims.claim_verdict,
    claims.claim_number,
    claims.claim_kind,
    claims.statement,
    claims.locator,
    claims.claim_test,
    claims.stated_reading,
    claims.granted_reading,
    claims.found_reading,
    claims.found_sigma_reading,
    claims.reading_unit,
    claims.found_in_sigma_pull,
    claims.growth_id,
    claims.series,
    claims.claim_quantity,
    claims.found_result_id,
    claims.found_entity_id,
    entity.asset AS found_asset,
    claims.is_simulated,
    claims.notes
FROM lake.claims AS claims
LEFT JOIN lake.entity AS entity ON claims.found_entity_id = entity.entity_id
ORDER BY
    CASE
        WHEN starts_with(claims.claim_verdict, 'contradicted') THEN 1
        WHEN claims.claim_verdict = 'cannot be told' THEN 2
        ELSE 3
    END,
    claims.claim_number;
