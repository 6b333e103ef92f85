"""A queue of jobs in a Django project."""
