-- Notes that people wrote, each with the file that holds it and the file that it is about; about_path NULL: the film.
CREATE OR REPLACE VIEW memory.main.notes AS
SELECT
    note.growth_id,
    note.about_path,
    note.note_text,
    note.tags,
    note.author,
    note.written_at,
    written.original_path AS note_path,
    written.ingested_at,
    about.file_id AS about_file_id,
    note.file_id
FROM lake.note
INNER JOIN lake.raw_file AS written ON note.file_id = written.file_id
LEFT JOIN current_raw_file AS about
    ON note.growth_id = about.growth_id AND note.about_path = about.original_path;
