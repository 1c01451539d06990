"""Data sets of torchvision by name: those of images with labels that are read without pickles."""

from collections.abc import Mapping

from app.spec.data import class_names as named
from app.spec.data.columns import Column, DataSchema


def _schema(
    image: Column, labels: tuple[str, ...], train: int, test: int | None, **more: tuple[str, ...]
) -> DataSchema:
    targets = [
        Column(name=name, dtype="int64", classes=len(words), labels=words)
        for name, words in {"label": labels, **more}.items()
    ]
    rows = {"train": train} if test is None else {"train": train, "test": test}
    return DataSchema(columns=(image, *targets), rows=rows, inputs=("image",), target="label")


def _array_schema(
    channels: int, size: int, labels: tuple[str, ...], train: int, test: int | None = None, **more: tuple[str, ...]
) -> DataSchema:
    """Images of one size, in one array."""
    image = Column(name="image", shape=(channels, size, size), dtype="float32", peak=255.0)
    return _schema(image, labels, train, test, **more)


def _file_schema(labels: tuple[str, ...], train: int, test: int | None = None, size: int | None = None) -> DataSchema:
    """Images in colour in files of their own, of unlike sizes unless one is given."""
    shape = (3,) if size is None else (3, size, size)
    return _schema(Column(name="image", type="image", shape=shape, dtype="uint8", peak=255.0), labels, train, test)


TORCHVISION_SCHEMAS: dict[str, DataSchema] = {
    "MNIST": _array_schema(1, 28, named.DIGITS, 60_000, 10_000),
    "FashionMNIST": _array_schema(1, 28, named.FASHION_MNIST, 60_000, 10_000),
    "KMNIST": _array_schema(1, 28, named.KMNIST, 60_000, 10_000),
    "QMNIST": _array_schema(1, 28, named.DIGITS, 60_000, 60_000),
    "EMNIST-byclass": _array_schema(1, 28, named.DIGITS_AND_LETTERS, 697_932, 116_323),
    "EMNIST-bymerge": _array_schema(1, 28, named.EMNIST_MERGED, 697_932, 116_323),
    "EMNIST-balanced": _array_schema(1, 28, named.EMNIST_MERGED, 112_800, 18_800),
    "EMNIST-letters": _array_schema(1, 28, named.LETTERS, 124_800, 20_800),
    "EMNIST-digits": _array_schema(1, 28, named.DIGITS, 240_000, 40_000),
    "EMNIST-mnist": _array_schema(1, 28, named.DIGITS, 60_000, 10_000),
    "USPS": _array_schema(1, 16, named.DIGITS, 7_291, 2_007),
    "SEMEION": _array_schema(1, 16, named.DIGITS, 1_593),
    "FER2013": _array_schema(1, 48, named.EMOTIONS, 28_709, 7_178),
    "CIFAR10": _array_schema(3, 32, named.CIFAR10, 50_000, 10_000),
    "CIFAR100": _array_schema(3, 32, named.CIFAR100, 50_000, 10_000, coarse=named.CIFAR100_COARSE),
    "SVHN": _array_schema(3, 32, named.DIGITS, 73_257, 26_032),
    "STL10": _array_schema(3, 96, named.STL10, 5_000, 8_000),
    "EuroSAT": _file_schema(named.EUROSAT, 27_000, size=64),
    "Imagenette": _file_schema(named.IMAGENETTE, 9_469, 3_925),
    "GTSRB": _file_schema(named.GTSRB, 26_640, 12_630),
    "Flowers102": _file_schema(named.FLOWERS102, 2_040, 6_149),
    "Food101": _file_schema(named.FOOD101, 75_750, 25_250),
    "OxfordIIITPet": _file_schema(named.OXFORD_PETS, 3_680, 3_669),
    "DTD": _file_schema(named.DTD, 3_760, 1_880),
    "FGVCAircraft": _file_schema(named.AIRCRAFT, 6_667, 3_333),
    "Country211": _file_schema(named.COUNTRIES, 42_200, 21_100),
    "RenderedSST2": _file_schema(named.SENTIMENTS, 7_792, 1_821),
    "Caltech101": _file_schema(named.CALTECH101, 8_677),
    "Caltech256": _file_schema(named.CALTECH256, 30_607),
    "SUN397": _file_schema(named.SUN397, 108_754),
}

_EMNIST = "https://www.nist.gov/itl/products-and-services/emnist-dataset"

# Data set → where its makers say what it is, and on which terms it may be used.
HOMEPAGES: Mapping[str, str] = {
    "MNIST": "http://yann.lecun.com/exdb/mnist/",
    "FashionMNIST": "https://github.com/zalandoresearch/fashion-mnist",
    "KMNIST": "https://codh.rois.ac.jp/kmnist/",
    "QMNIST": "https://github.com/facebookresearch/qmnist",
    **{name: _EMNIST for name in TORCHVISION_SCHEMAS if name.startswith("EMNIST")},
    "USPS": "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
    "SEMEION": "https://archive.ics.uci.edu/dataset/178/semeion+handwritten+digit",
    "FER2013": "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
    "CIFAR10": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "CIFAR100": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "SVHN": "http://ufldl.stanford.edu/housenumbers/",
    "STL10": "https://cs.stanford.edu/~acoates/stl10/",
    "EuroSAT": "https://github.com/phelber/eurosat",
    "Imagenette": "https://github.com/fastai/imagenette",
    "GTSRB": "https://benchmark.ini.rub.de/",
    "Flowers102": "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    "Food101": "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    "OxfordIIITPet": "https://www.robots.ox.ac.uk/~vgg/data/pets/",
    "DTD": "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    "FGVCAircraft": "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    "Country211": "https://github.com/openai/CLIP/blob/main/data/country211.md",
    "RenderedSST2": "https://github.com/openai/CLIP/blob/main/data/rendered-sst2.md",
    "Caltech101": "https://data.caltech.edu/records/20086",
    "Caltech256": "https://data.caltech.edu/records/20087",
    "SUN397": "https://vision.princeton.edu/projects/2010/SUN/",
}

_VIDEO, _PAIRS, _BOXES = "videos", "pairs of images", "places in images, not classes of them"
_DEPTH = "depth or motion between two images"

# Data set of torchvision → why it is not among them.
UNSUPPORTED_DATASETS: Mapping[str, str] = {
    "ImageNet": "no download, and its index is a pickle; upload the part you need as a zip of folders",
    "PCAM": "its files need another library (h5py)",
    "LSUN": "its files need another library (lmdb)",
    "LSUNClass": "its files need another library (lmdb)",
    "StanfordCars": "no download any more, and its labels are structures of MATLAB",
    "CelebA": "attributes, not classes, and its download needs another library",
    "Places365": "1.8 million files, which are too many for a list in memory",
    "INaturalist": "more classes than have names here, and hundreds of gigabytes",
    "CLEVRClassification": "a count of things, whose list takes gigabytes to read",
    "Omniglot": "its two parts have different classes",
    "LFWPeople": "most people have a single image",
    "LFWPairs": _PAIRS,
    "PhotoTour": _PAIRS,
    "FakeData": "noise",
    "ImageFolder": "a form, not a data set: upload a zip of folders",
    "DatasetFolder": "a form, not a data set: upload a zip of folders",
    "VisionDataset": "a form, not a data set",
    "wrap_dataset_for_transforms_v2": "a function",
    **dict.fromkeys(("HMDB51", "Kinetics", "MovingMNIST", "UCF101"), _VIDEO),
    **dict.fromkeys(
        ("Cityscapes", "CocoDetection", "Kitti", "SBDataset", "VOCDetection", "VOCSegmentation", "WIDERFace"), _BOXES
    ),
    **dict.fromkeys(("CocoCaptions", "Flickr30k", "Flickr8k", "SBU"), "captions, not classes"),
    **dict.fromkeys(
        (
            "CREStereo",
            "CarlaStereo",
            "ETH3DStereo",
            "FallingThingsStereo",
            "FlyingChairs",
            "FlyingThings3D",
            "HD1K",
            "InStereo2k",
            "Kitti2012Stereo",
            "Kitti2015Stereo",
            "KittiFlow",
            "Middlebury2014Stereo",
            "SceneFlowStereo",
            "Sintel",
            "SintelStereo",
        ),
        _DEPTH,
    ),
}
