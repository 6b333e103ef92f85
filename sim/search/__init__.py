"""Searching schedules: strategies, sessions, schedules that replay, shrinking."""
