"""Images in a zip archive: which folder or table says what they show, and how they are described.

Here: the layout of archives of images. Never: decoding (see `workers.data.images`).
"""
