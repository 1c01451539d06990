"""Identifiers: a prefix that names the noun and a UUIDv7, so that ids sort by creation."""

import uuid_utils


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``job_0199…`` (32 hexadecimal digits after the prefix)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def id_pattern(prefix: str) -> str:
    """Return the regular expression of all ids with a prefix."""
    return rf"^{prefix}_[0-9a-f]{{32}}$"


JOB_ID_PATTERN = id_pattern("job")
CHECKPOINT_ID_PATTERN = id_pattern("ckpt")
DATASET_ID_PATTERN = id_pattern("ds")
KEY_ID_PATTERN = id_pattern("key")
WEBHOOK_ID_PATTERN = id_pattern("whk")
MESSAGE_ID_PATTERN = id_pattern("msg")
