"""Growth logs."""
