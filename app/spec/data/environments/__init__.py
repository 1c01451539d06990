"""The language of environments: what a network acts in, and what is kept of its experience.

Here: literal tables of kinds, the data section of such a job, and the columns that its network reads. Never: a step of
an environment.
"""
