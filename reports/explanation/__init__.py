"""A counterexample told: in words, row by row, and with all that can be shown."""
