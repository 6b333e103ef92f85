"""SQL worlds: a user's own schema and statements, under a database's own rules."""
