"""Benchmarks: each module with a `tables` function is one; `python -m benchmarks`."""
