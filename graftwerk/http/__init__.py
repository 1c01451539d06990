"""Talking to the service: its address, requests with retries, pages, event streams, downloads.

Here: HTTP. Never: nouns such as jobs or data sets.
"""
