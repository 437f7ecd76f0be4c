"""Multislice, mixed-state electron ptychography: the engine that takes patterns, positions and optics."""
