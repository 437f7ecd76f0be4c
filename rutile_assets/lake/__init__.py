"""The vault, the tables and the arrays: the only place that opens DuckDB."""
