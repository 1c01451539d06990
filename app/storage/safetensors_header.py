"""The header of a safetensors file: names and shapes of its tensors, without reading them.

The format: 8 bytes with the length of the header, unsigned and little-endian; the header, which is JSON; the tensors.
"""

import json
from collections.abc import Mapping

from app.errors import NotFound
from app.storage.protocol import ArtifactStore

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # as in the library safetensors
METADATA_KEY = "__metadata__"

TensorShapes = Mapping[str, tuple[int, ...]]  # by name


def read_tensor_shapes(store: ArtifactStore, key: str) -> TensorShapes | None:
    """Return the shapes of the tensors of a stored file; `None` if it is gone, or no such file."""
    try:
        length = int.from_bytes(b"".join(store.read(key, 0, LENGTH_BYTES)), "little")
        if not 0 < length <= MAX_HEADER_BYTES:
            return None
        header = json.loads(b"".join(store.read(key, LENGTH_BYTES, LENGTH_BYTES + length)))
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != METADATA_KEY}
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None
