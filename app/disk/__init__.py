"""The local disk: names that survive a power cut, temporary files with owners, and what follows when it is full.

Here: what storage, uploads and attempts share about files. Never: artifacts or their keys (see `app.storage`).
"""
