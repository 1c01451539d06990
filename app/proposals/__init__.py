"""Proposed jobs: from the schema of a data set and a target to a whole spec, with a reason for each choice.

Here: rules by kind of data and by size, as pure functions of a schema. Never: reading data, or torch.
"""
