"""Notes that people write about films and files."""
