"""An incident: the published one or the user's own, from its rows and calls."""
