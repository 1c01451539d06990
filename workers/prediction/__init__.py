"""Predictions by a trained network: rows in the data set's own form become outputs in its own words.

Here: from rows to a response. Never: training.
"""
