"""Atom columns of images: where they stand, and how surely."""
