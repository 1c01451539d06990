"""Formulas of metrics that torchmetrics does not have, or has otherwise.

Here: classes of torchmetrics' `Metric`. Never: which metrics a head has.
"""
