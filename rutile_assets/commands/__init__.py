"""The commands of `rutile`, one module for what belongs together; `rutile_assets.cli` lists them."""
