"""Identifiers: a prefix that names the noun and a UUIDv7, so that ids sort by creation."""

import uuid_utils


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``job_0199…`` (32 hexadecimal digits after the prefix)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
