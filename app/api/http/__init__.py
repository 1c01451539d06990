"""Reading requests and writing responses: bodies, parameters, files with ranges, problem documents.

Here: what several routes share about HTTP itself. Never: a route, or a rule about jobs or data sets.
"""
