"""Evaluation: metrics over a split, classification reports, and the recorder of points.

Here: what is reported. Never: what is minimised.
"""
