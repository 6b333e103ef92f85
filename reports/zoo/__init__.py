"""The exhibits and their examination: tables, pages of Markdown, data."""
