"""Predictions by a trained network: rows in the data set's own form become labels, probabilities and numbers.

Here: from rows to a response. Never: training, and how outputs are decoded (`workers.training.objective.decode`).
"""
