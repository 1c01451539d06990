"""Data sets of pictures, and jobs on them."""

import base64
import io

import numpy as np
from PIL import Image

from tests.app.api.sample_dataset import CROSS_ENTROPY, LINEAR_NODE, SampleDataset
from tests.app.api.sample_files import ndjson_bytes, npz_bytes, png_bytes, zip_bytes
from tests.workers.data.formats.test_idx import encode_idx


def small_images() -> SampleDataset:
    """Pictures that are alike and small, which are stored as one array."""
    content = zip_bytes(
        {
            f"{'light' if number % 2 else 'dark'}/{number}.png": png_bytes(150 * (number % 2) + number)
            for number in range(40)
        }
    )
    model = {"layers": [{"kind": "Flatten"}, LINEAR_NODE]}
    pictures = [np.array(Image.open(io.BytesIO(png_bytes(value)))).tolist() for value in (10, 180)]
    asked = [{"image": [picture]} for picture in pictures]
    files = {
        "application/zip": zip_bytes({"b.png": png_bytes(180), "a.png": png_bytes(10)}),
        "application/x-idx": encode_idx(np.array(pictures, np.uint8)),
        "application/x-npz": npz_bytes({"image": np.array(pictures, np.uint8)[:, None]}),
        "application/x-ndjson": ndjson_bytes(
            [{"image": base64.b64encode(png_bytes(value)).decode()} for value in (10, 180)]
        ),
    }
    return SampleDataset(content, model, CROSS_ENTROPY, asked, "label", {}, files)


def images() -> SampleDataset:
    """Pictures of unlike sizes, which are decoded when they are needed, and flipped at random in training."""
    content = zip_bytes(
        {f"{'light' if n % 2 else 'dark'}/{n}.png": png_bytes(150 * (n % 2) + n, 5 + n % 3) for n in range(40)}
    )
    model = {"layers": [{"kind": "Flatten"}, LINEAR_NODE]}
    options = {"transforms": [{"kind": "Resize", "size": [4, 4]}, {"kind": "RandomHorizontalFlip"}]}
    small, large = png_bytes(10, 5), png_bytes(180, 9, 7)
    asked = [{"image": base64.b64encode(small).decode()}, {"image": base64.b64encode(large).decode()}]
    files = {"application/zip": zip_bytes({"1.png": small, "2.png": large})}
    return SampleDataset(content, model, CROSS_ENTROPY, asked, "label", options, files)


def labelled_images() -> SampleDataset:
    """Pictures of two sizes with a table of their names, a number that is an input, and a number that is learned."""
    pictures = {f"pictures/{n}.png": png_bytes(150 * (n % 2) + n, 4 + n % 2) for n in range(40)}
    table = "file,weight,price\n" + "".join(f"{n},{n % 5},{n % 2 * 100 + n / 10}\n" for n in range(40))
    content = zip_bytes(pictures | {"labels.csv": table.encode()})
    model = {
        "inputs": ["image", "x"],
        "nodes": [
            {"id": "flat", "kind": "Flatten", "inputs": ["image"]},
            {"id": "all", "kind": "cat", "inputs": ["flat", "x"], "dim": 1},
            {"id": "out", "kind": "Linear", "out_features": 1, "inputs": ["all"]},
        ],
    }
    features = {
        "image": {"kind": "image", "column": "image", "transforms": [{"kind": "Resize", "size": [4, 4]}]},
        "x": {"kind": "numbers", "columns": ["weight"]},
    }
    small, large = png_bytes(10, 5), png_bytes(180, 9, 7)
    asked = [
        {"image": base64.b64encode(small).decode(), "weight": 2},
        {"image": base64.b64encode(large).decode(), "weight": None},
    ]
    table_of_rows = b"price,weight,file\n1,2,small\n,,a/large.png\n"
    files = {"application/zip": zip_bytes({"a/small.png": small, "a/large.png": large, "rows.csv": table_of_rows})}
    options = {"features": features, "target": "price"}
    return SampleDataset(content, model, {"loss": {"kind": "MSELoss"}}, asked, "value", options, files)
