"""The import pipeline: the world that the published incident happened in.

One user of the engine among others: nothing outside this package, in `sim`, knows it.
"""
