"""Campaigns: how often, how long, at what scale.

Many runs of coordinators over seeds and a grid of parameters, on one machine or on a
cluster, kept in a file that can be resumed and merged.
"""
