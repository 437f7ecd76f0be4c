"""Who made what from what: records, code versions, staleness, traces."""
