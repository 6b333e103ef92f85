"""The same executions on a real database: replays, and runs whose rows stay."""
