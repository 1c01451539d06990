"""Curves drawn as text and as SVG.

Here: scales, and what is drawn of a curve. Never: requests, or a terminal.
"""
