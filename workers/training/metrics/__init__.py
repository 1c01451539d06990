"""Evaluation: metrics over a split, classification reports, and the recorder of points.

Here: what is reported of a training. Never: what is minimised, and how outputs are decoded.
"""
