"""Bytes in the vendors' own file formats, written from arrays; nothing here knows a film."""
