-- What techniques say of one thing, side by side: what disagrees first, then what cannot be told and what is missing.
CREATE OR REPLACE VIEW memory.main.consistency_flags AS
SELECT
    flag_verdict,
    flag_number,
    flag_name,
    judged,
    growth_id,
    series,
    comparison,
    left_name,
    left_reading,
    left_sigma_reading,
    right_name,
    right_reading,
    right_sigma_reading,
    reading_unit,
    difference_reading,
    difference_in_sigma_pull,
    is_simulated,
    flag_rule,
    notes,
    left_result_id,
    right_result_id
FROM lake.consistency
ORDER BY
    CASE flag_verdict WHEN 'disagrees' THEN 1 WHEN 'cannot be told' THEN 2 ELSE 3 END,
    flag_number,
    judged,
    comparison;
