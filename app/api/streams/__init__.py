"""Responses that stay open: what streams and long polls wait for, and the pieces of events that streams send.

Here: waiting for jobs, reads that many requests share, the encoding of events. Never: a route.
"""
