"""The ways to a verdict: searching, sampling, proving, and judging the searcher."""
