-- Lineage with names: what was made from what, by which code and parameters. `rutile trace` walks it.
CREATE OR REPLACE VIEW memory.main.lineage_edge AS
SELECT
    edge.child,
    edge.parent,
    edge.role,
    made.asset AS child_asset,
    made.growth_id,
    source.kind AS parent_kind,
    source.asset AS parent_asset,
    source.data_version AS parent_data_version,
    activity.code_version,
    activity.parameters,
    activity.snapshot
FROM lake.edge
INNER JOIN lake.entity AS made ON edge.child = made.entity_id
INNER JOIN lake.entity AS source ON edge.parent = source.entity_id
INNER JOIN lake.activity ON made.activity_id = activity.activity_id;
