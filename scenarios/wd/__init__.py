"""WD, the reference model: the incident's race at its smallest."""
