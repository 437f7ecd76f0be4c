"""The film passport: a page per film, an index of films, a page that compares some; static HTML made from the lake."""

from rutile_assets.results.passport.write import page_path, write_index, write_pages

__all__ = ["page_path", "write_index", "write_pages"]
