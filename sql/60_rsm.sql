-- Relaxation of each film along both in-plane directions against its nominal thickness: 0 coherent, 1 bulk.
CREATE OR REPLACE VIEW memory.main.rsm AS
SELECT
    results.growth_id,
    growth.series,
    max(layer.nominal_thickness_nm) AS nominal_thickness_nm,
    max(results.value) FILTER (WHERE results.quantity = 'relaxation_001_fraction') AS relaxation_001_fraction,
    max(results.sigma) FILTER (WHERE results.quantity = 'relaxation_001_fraction') AS relaxation_001_fraction_std,
    max(results.value) FILTER (WHERE results.quantity = 'relaxation_1m10_fraction') AS relaxation_1m10_fraction,
    max(results.sigma) FILTER (WHERE results.quantity = 'relaxation_1m10_fraction') AS relaxation_1m10_fraction_std,
    any_value(results.notes) AS notes
FROM memory.main.results
INNER JOIN lake.growth ON results.growth_id = growth.growth_id
INNER JOIN lake.growth_layer AS layer
    ON results.growth_id = layer.growth_id AND results.material = layer.material
WHERE results.is_current AND results.technique = 'rsm' AND results.quantity LIKE 'relaxation_%'
GROUP BY results.growth_id, growth.series;
