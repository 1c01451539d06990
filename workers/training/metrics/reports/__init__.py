"""Reports of evaluations: what a network made of every class, label and number, and how episodes went.

Here: from what an evaluation has counted to a document. Never: which metrics are series.
"""
