"""Pure functions that two or more rooms use."""
