"""Kinds of operations: functions of tensors, with torch's own names and parameters.

Dimensions count as in torch: dimension 0 is the batch.

Here: one literal table per family, and their union in `catalog`. Never: which function of torch computes them.
"""
