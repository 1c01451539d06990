"""The same data sets as torchvision reads them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tests.workers.data.torchvision_datasets.synthetic import WRITERS

_TRAIN = {"train": [{"train": True}], "test": [{"train": False}]}
_SPLIT = {"train": [{"split": "train"}], "test": [{"split": "test"}]}
_VALID = {"train": [{"split": "train"}, {"split": "valid"}], "test": [{"split": "test"}]}
_VAL = {"train": [{"split": "train"}, {"split": "val"}], "test": [{"split": "test"}]}
_TRAINVAL = {"train": [{"split": "trainval"}], "test": [{"split": "test"}]}
_WHOLE: dict[str, list[dict[str, Any]]] = {"train": [{}]}
# Data set → the settings of torchvision's class by our split; CIFAR's binary version is none that it reads.
TORCHVISION_SETTINGS: Mapping[str, Mapping[str, list[dict[str, Any]]]] = {
    **dict.fromkeys(("MNIST", "FashionMNIST", "KMNIST", "USPS"), _TRAIN),
    **{
        name: {split: [{"split": name.partition("-")[2], "train": split == "train"}] for split in ("train", "test")}
        for name in WRITERS
        if name.startswith("EMNIST")
    },
    "QMNIST": {"train": [{"what": "train"}], "test": [{"what": "test"}]},
    "SEMEION": {"train": [{"download": False}]},
    "Imagenette": {"train": [{"split": "train"}], "test": [{"split": "val"}]},
    **dict.fromkeys(("FER2013", "SVHN", "STL10", "GTSRB", "Food101"), _SPLIT),
    **dict.fromkeys(("Country211",), _VALID),
    **dict.fromkeys(("Flowers102", "DTD", "RenderedSST2"), _VAL),
    **dict.fromkeys(("OxfordIIITPet", "FGVCAircraft"), _TRAINVAL),
    **dict.fromkeys(("EuroSAT", "Caltech101", "Caltech256", "SUN397"), _WHOLE),
}


def labels_and_pixels(data: Any) -> Iterator[tuple[int, bytes]]:
    """Yield label and pixels of each picture of a data set of torchvision."""
    for place in range(len(data)):
        image, label = data[place]
        pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
        yield int(label), np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), -1, 0).tobytes()
