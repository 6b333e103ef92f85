"""Everything that people see: command line, tables, pictures, data files.

Three ways in: `cli` with its `commands`, `notebook`, and `pytest_plugin` with its
`regressions`. What they show has a package for each kind: `verdicts`, `explanation`,
`campaign`, `incident`, `zoo`; and so has what they write: `html`, `export`, `monitors`,
`project`.
"""
