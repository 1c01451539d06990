"""Images in files of a folder, decoded on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from app.errors import DataError
from workers.data.images.decoding import ImageDecodeError, decode_image, open_image


@dataclass(frozen=True)
class FolderImages:
    """Rows of a column of type image."""

    folder: Path
    names: Sequence[str]  # of the rows' files in the folder
    channels: int = 3

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Tensor) -> "FolderImages":
        """Return the images at these rows."""
        return replace(self, names=[self.names[row] for row in indices.tolist()])

    def read(self, row: int) -> Tensor:
        """Return an image: uint8 (channels, height, width). Raises `DataError`."""
        name = self.names[row]
        try:
            return decode_image(open_image((self.folder / name).read_bytes()), self.channels)
        except FileNotFoundError:
            detail = f'image {row + 1}, "{name}", does not exist'
        except ImageDecodeError as error:
            detail = f'image {row + 1}, "{name}", cannot be decoded: {error}'
        raise DataError(detail, pointer="/data", hint="replace it, or remove the data set and download it again")
