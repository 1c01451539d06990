"""The rows of a request: from a document or a file of the data set's own form to columns.

Here: forms of requests, and problems with their places. Never: a network, or how outputs are written.
"""
