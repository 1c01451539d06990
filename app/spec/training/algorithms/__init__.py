"""Algorithms of reinforcement learning: a short form of jobs, and how it is written out in the language.

Here: the settings of each algorithm, and the network, losses and updates that it is. Never: anything that an engine
would have to know, for it gets the long form.
"""
