"""Images in a job: their feature, transforms, and the shapes that follow.

Here: what a job says of images, and its checks. Never: pixels (see `workers.data.images`).
"""
