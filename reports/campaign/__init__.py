"""A campaign's results: tables, pictures, data."""
