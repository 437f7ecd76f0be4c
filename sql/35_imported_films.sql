-- Films that another laboratory made: whose, under which name there, on which terms, and the crate they came with.
CREATE OR REPLACE VIEW memory.main.imported_films AS
SELECT
    film.growth_id,
    film.original_growth_id,
    origin.organisation,
    origin.organisation_url,
    origin.license,
    origin.made_at,
    origin.imported_at,
    origin.crate_name,
    origin.crate_id,
    origin.source_path,
    origin.origin_id
FROM lake.origin_film AS film
INNER JOIN lake.origin ON film.origin_id = origin.origin_id;
