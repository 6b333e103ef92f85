"""Options and settings at their extremes, and outputs that fail."""

OPTIONS = {}
