"""What a search, a proof and a replay found, as tables, text and data."""
