"""What is tried, and what is asked of it.

What is tried: `import_job`, `fleet`, `wd`, `incident`, `classic`, `zoo`; `catalogue`
finds them by name. A coordinator in one of them, with sizes and faults, is a `subject`.
What is asked of it: a few timed runs in `comparison`, thousands in `campaign`, a
verdict in `verdicts`, whether the model tells the truth in `database` and `conformity`.
"""
