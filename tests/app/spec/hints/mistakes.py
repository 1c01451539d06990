"""Mistakes that people make, each an edit of a job that is accepted."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.spec.data.columns import Column, DataSchema
from tests.app.spec.hints.edits import Edit, drop, move, put, rename


class Mistake(NamedTuple):
    """A mistake in one of the jobs. `mended` are edits for a hint in free words, by the start of the hint."""

    job: str
    edits: Sequence[Edit]
    mended: Sequence[Edit] = ()


TABLE: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Linear", "out_features": 16},
            {"kind": "ReLU"},
            {"kind": "Dropout", "p": 0.1},
            {"kind": "Linear", "out_features": 3},
        ]
    },
    "data": {"kind": "builtin", "name": "iris", "validation": {"fraction": 0.2}, "scale": "standard"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {
        "optimizer": {"kind": "Adam", "lr": 0.01},
        "schedule": {"kind": "StepLR", "step_size": 5},
        "early_stop": {"patience": 3},
        "epochs": 5,
        "batch_size": 32,
    },
}
PICTURES: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
            {"kind": "BatchNorm2d"},
            {"kind": "ReLU"},
            {"kind": "MaxPool2d", "kernel_size": 2},
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}, "epochs": 2},
}
NUMBERS: dict[str, Any] = {
    "model": {
        "layers": [{"kind": "Linear", "out_features": 8}, {"kind": "Tanh"}, {"kind": "Linear", "out_features": 1}]
    },
    "data": {"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "MSELoss"}, "metrics": ["mae"]},
    "training": {"optimizer": {"kind": "AdamW"}, "epochs": 2},
}
GRAPH: dict[str, Any] = {
    "model": {
        "inputs": ["review", "review_length", "stars"],
        "nodes": [
            {"id": "tokens", "kind": "Embedding", "inputs": ["review"], "embedding_dim": 8},
            {"id": "read", "kind": "GRU", "inputs": ["tokens", "review_length"], "hidden_size": 6, "returns": "last"},
            {"id": "both", "kind": "cat", "inputs": ["read", "stars"]},
            {"id": "scores", "kind": "Linear", "inputs": ["both"], "out_features": 2},
        ],
        "outputs": {"scores": "scores"},
    },
    "data": {
        "kind": "dataset",
        "id": "ds_" + "1" * 32,
        "target": "mood",
        "validation": {"fraction": 0.25},
        "features": {
            "review": {"kind": "text", "column": "review", "max_length": 20},
            "stars": {"kind": "numbers", "columns": ["stars"]},
        },
    },
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "output": "scores", "metrics": ["f1"]},
    "training": {"optimizer": {"kind": "Adam"}, "epochs": 1},
}
UPLOAD = DataSchema(
    columns=(
        Column(name="review", type="text", longest=400),
        Column(name="stars", type="number"),
        Column(name="town", type="category", labels=("Ulm", "Paris")),
        Column(name="mood", type="category", labels=("bad", "good")),
    ),
    rows={"train": 400},
    inputs=("review", "stars", "town"),
    target="mood",
)
JOBS = {"table": TABLE, "pictures": PICTURES, "numbers": NUMBERS, "graph": GRAPH}

FIRST = "/model/layers/0"
LAST = "/model/layers/3"
RATE = "/training/optimizer/lr"
OPTIMIZER = "/training/optimizer"

_FIELDS: dict[str, Mistake] = {
    # misspelt
    "modle": Mistake("table", [rename("/model", "modle")]),
    "objectiv": Mistake("table", [rename("/objective", "objectiv")]),
    "trainning": Mistake("table", [rename("/training", "trainning")]),
    "layer": Mistake("table", [rename("/model/layers", "layer")]),
    "out_feature": Mistake("table", [rename(f"{FIRST}/out_features", "out_feature")]),
    "outfeatures": Mistake("table", [rename(f"{FIRST}/out_features", "outFeatures")]),
    "in_feature": Mistake("table", [put(f"{FIRST}/in_feature", 4)]),
    "kernal_size": Mistake("pictures", [rename(f"{FIRST}/kernel_size", "kernal_size")]),
    "batch-size": Mistake("table", [rename("/training/batch_size", "batch-size")]),
    "Epochs": Mistake("table", [rename("/training/epochs", "Epochs")]),
    "optimiser": Mistake("table", [rename(OPTIMIZER, "optimiser")]),
    "shedule": Mistake("table", [rename("/training/schedule", "shedule")]),
    "fracton": Mistake("table", [rename("/data/validation/fraction", "fracton")]),
    "metric": Mistake("table", [rename("/objective/metrics", "metric")]),
    "patiance": Mistake("table", [rename("/training/early_stop/patience", "patiance")]),
    "momentun": Mistake("pictures", [rename(f"{OPTIMIZER}/momentum", "momentun")]),
    "colum": Mistake("graph", [rename("/data/features/review/column", "colum")]),
    "column of numbers": Mistake("graph", [rename("/data/features/stars/columns", "column")]),
    "quux": Mistake("table", [put("/training/quux", 1)]),
    "quux in a layer": Mistake("table", [put(f"{FIRST}/quux", 1)]),
    "in a metric's object": Mistake("table", [put("/resources", {"gpu": 0})]),
    # of other libraries
    "units": Mistake("table", [rename(f"{FIRST}/out_features", "units")]),
    "units of a GRU": Mistake("graph", [rename("/model/nodes/1/hidden_size", "units")]),
    "hidden_size of Linear": Mistake("table", [rename(f"{FIRST}/out_features", "hidden_size")]),
    "units beside out_features": Mistake("table", [put(f"{FIRST}/units", 16)]),
    "filters": Mistake("pictures", [rename(f"{FIRST}/out_channels", "filters")]),
    "strides": Mistake("pictures", [put(f"{FIRST}/strides", 1)]),
    "pool_size": Mistake("pictures", [rename("/model/layers/3/kernel_size", "pool_size")]),
    "rate": Mistake("table", [rename("/model/layers/2/p", "rate")]),
    "output_dim": Mistake("graph", [rename("/model/nodes/0/embedding_dim", "output_dim")]),
    "vocab_size": Mistake("graph", [put("/model/nodes/0/vocab_size", 25000)]),
    "use_bias": Mistake("table", [put(f"{FIRST}/use_bias", False)]),
    "axis": Mistake("graph", [put("/model/nodes/2/axis", 1)]),
    "learning_rate": Mistake("table", [rename(RATE, "learning_rate")]),
    "learning_rate of the plan": Mistake("numbers", [put("/training/learning_rate", 0.01)]),
    "epsilon": Mistake("table", [put(f"{OPTIMIZER}/epsilon", 1e-7)]),
    "num_train_epochs": Mistake("table", [rename("/training/epochs", "num_train_epochs")]),
    "max_epochs": Mistake("table", [rename("/training/epochs", "max_epochs")]),
    "lr_scheduler": Mistake("table", [rename("/training/schedule", "lr_scheduler")]),
    "gradient_clip_val": Mistake("table", [put("/training/gradient_clip_val", 1.0)]),
    "accumulate_grad_batches": Mistake("table", [put("/training/accumulate_grad_batches", 2)]),
    "early_stopping": Mistake("table", [rename("/training/early_stop", "early_stopping")]),
    "criterion": Mistake("table", [rename("/objective/loss", "criterion")]),
    "val_split": Mistake("table", [rename("/data/validation", "val_split")]),
    "test_size": Mistake("table", [rename("/data/validation/fraction", "test_size")]),
    "random_state": Mistake("table", [put("/training/random_state", 7)]),
    "label": Mistake("graph", [rename("/data/target", "label")]),
    "max_len": Mistake("graph", [rename("/data/features/review/max_length", "max_len")]),
    "type of a layer": Mistake("table", [rename(f"{FIRST}/kind", "type")]),
    "name of a layer": Mistake("table", [put(f"{FIRST}/name", "hidden")]),
    "class_name of an optimizer": Mistake("table", [rename(f"{OPTIMIZER}/kind", "class_name")]),
    "type of a loss": Mistake("table", [rename("/objective/loss/kind", "type")]),
    "a node's name": Mistake("graph", [rename("/model/nodes/2/id", "name")]),
}

_PLACES: dict[str, Mistake] = {
    "epochs at the top": Mistake("table", [move("/training/epochs", "/epochs")]),
    "batch_size at the top": Mistake("table", [move("/training/batch_size", "/batch_size")]),
    "lr at the top": Mistake("table", [move(RATE, "/lr")]),
    "learning_rate at the top": Mistake("table", [move(RATE, "/learning_rate")]),
    "optimizer at the top": Mistake("table", [move(OPTIMIZER, "/optimizer")]),
    "loss at the top": Mistake("table", [move("/objective/loss", "/loss"), drop("/objective/metrics")]),
    "a second loss at the top": Mistake("table", [put("/loss", {"kind": "CrossEntropyLoss"})]),
    "metrics at the top": Mistake("table", [move("/objective/metrics", "/metrics")]),
    "layers at the top": Mistake("table", [move("/model/layers", "/layers"), drop("/model")]),
    "validation at the top": Mistake("table", [move("/data/validation", "/validation")]),
    "seed at the top": Mistake("table", [put("/seed", 3)]),
    "device at the top": Mistake("table", [put("/device", "cpu")]),
    "gpus at the top": Mistake("table", [put("/gpus", 0)]),
    "batch_size in data": Mistake("table", [move("/training/batch_size", "/data/batch_size")]),
    "epochs in data": Mistake("table", [move("/training/epochs", "/data/epochs")]),
    "epochs in the optimizer": Mistake("table", [move("/training/epochs", "/training/optimizer/epochs")]),
    "loss in training": Mistake("table", [put("/training/loss", {"kind": "CrossEntropyLoss"})]),
    "metrics in training": Mistake("table", [move("/objective/metrics", "/training/metrics")]),
    "validation in training": Mistake("table", [move("/data/validation", "/training/validation")]),
    "validation_split in training": Mistake(
        "table", [drop("/data/validation"), put("/training/validation_split", 0.2)]
    ),
    "patience in training": Mistake("table", [move("/training/early_stop/patience", "/training/patience")]),
    "momentum in training": Mistake("pictures", [move(f"{OPTIMIZER}/momentum", "/training/momentum")]),
    "weight_decay in training": Mistake("numbers", [put("/training/weight_decay", 0.1)]),
    "weight_decay beside a bare name": Mistake(
        "numbers", [put(OPTIMIZER, "AdamW"), put("/training/weight_decay", 0.1)]
    ),
    "weight_decay and no optimizer": Mistake("numbers", [drop(OPTIMIZER), put("/training/weight_decay", 0.1)]),
    "step_size in the optimizer": Mistake("table", [move("/training/schedule/step_size", f"{OPTIMIZER}/step_size")]),
    "priority in training": Mistake("table", [put("/training/priority", 3)]),
    "output beside heads": Mistake(
        "table",
        [put("/objective/heads", {"a": {"loss": "CrossEntropyLoss"}}), drop("/objective/loss")],
        [put("/objective", {"heads": {"a": {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]}}})],
    ),
    "scale in training": Mistake("table", [move("/data/scale", "/training/scale")]),
    "label_smoothing in training": Mistake("table", [put("/training/label_smoothing", 0.1)]),
    "num_layers in training": Mistake("table", [put("/training/num_layers", 2)]),
}

_KINDS: dict[str, Mistake] = {
    "Dense": Mistake("table", [put(f"{FIRST}/kind", "Dense")]),
    "linear": Mistake("table", [put(f"{FIRST}/kind", "linear")]),
    "Lineer": Mistake("table", [put(f"{FIRST}/kind", "Lineer")]),
    "conv2D": Mistake("pictures", [put(f"{FIRST}/kind", "Conv2D")]),
    "MaxPooling2D": Mistake("pictures", [put("/model/layers/3/kind", "MaxPooling2D")]),
    "BatchNormalization": Mistake("pictures", [put("/model/layers/1/kind", "BatchNormalization")]),
    "BatchNorm": Mistake("pictures", [put("/model/layers/1", "BatchNorm")]),
    "RELU": Mistake("table", [put("/model/layers/1", "RELU")]),
    "Activation": Mistake("table", [put("/model/layers/1", "Activation")]),
    "nn.ReLU": Mistake("table", [put("/model/layers/1/kind", "nn.ReLU")]),
    "torch.nn.Linear": Mistake("table", [put(f"{FIRST}/kind", "torch.nn.Linear")]),
    "nonsense": Mistake("table", [put("/model/layers/1", "Quuxify")], [put("/model/layers/1", "ReLU")]),
    "Concatenate in nodes": Mistake("graph", [put("/model/nodes/2/kind", "Concatenate")]),
    "Concatenate in layers": Mistake(
        "table", [put("/model/layers/1", "Concatenate")], [put("/model/layers/1", "ReLU")]
    ),
    "Bilinear in layers": Mistake(
        "table", [put(FIRST, {"kind": "Bilinear", "out_features": 16})], [put(FIRST, TABLE["model"]["layers"][0])]
    ),
    "adam": Mistake("table", [put(f"{OPTIMIZER}/kind", "adam")]),
    "a bare adam": Mistake("table", [put(OPTIMIZER, "adam")]),
    "sgd with momentum": Mistake("pictures", [put(f"{OPTIMIZER}/kind", "sgd")]),
    "torch.optim.Adam": Mistake("table", [put(f"{OPTIMIZER}/kind", "torch.optim.Adam")]),
    "Lion": Mistake("table", [put(f"{OPTIMIZER}/kind", "Lion")]),
    "categorical_crossentropy": Mistake("table", [put("/objective/loss", "categorical_crossentropy")]),
    "cross_entropy": Mistake("table", [put("/objective/loss/kind", "cross_entropy")]),
    "CrossEntropy": Mistake("table", [put("/objective/loss/kind", "CrossEntropy")]),
    "mse": Mistake("numbers", [put("/objective/loss", "mse")]),
    "nn.MSELoss": Mistake("numbers", [put("/objective/loss", "nn.MSELoss")]),
    "binary_crossentropy": Mistake(
        "table", [put("/objective/loss", "binary_crossentropy")], [put("/objective/loss", "CrossEntropyLoss")]
    ),
    "FocalLoss": Mistake("table", [put("/objective/loss/kind", "FocalLoss")]),
    "cosine": Mistake("table", [put("/training/schedule", "cosine")]),
    "StepLR by its name": Mistake("table", [put("/training/schedule", "StepLR")]),
    "Linear by its name": Mistake("table", [put(FIRST, "Linear")]),
    "steplr": Mistake("table", [put("/training/schedule/kind", "steplr")]),
    "average EMA": Mistake("table", [put("/training/average", "EMA")]),
    "data of kind csv": Mistake("graph", [put("/data/kind", "csv")]),
    "data of kind iris": Mistake("table", [put("/data/kind", "iris")]),
    "data without kind": Mistake("table", [drop("/data/kind")]),
    "a layer without kind": Mistake("table", [drop(f"{FIRST}/kind")]),
    "a schedule without kind": Mistake("table", [drop("/training/schedule/kind")]),
    "a feature without kind": Mistake("graph", [drop("/data/features/stars/kind")]),
    "a feature of kind numeric": Mistake("graph", [put("/data/features/stars/kind", "numeric")]),
    "a feature of kind string": Mistake("graph", [put("/data/features/review/kind", "string")]),
    "a tokenizer of kind words": Mistake("graph", [put("/data/features/review/tokenizer", {"kind": "words"})]),
    "Iris": Mistake("table", [put("/data/name", "Iris")]),
    "mnist of builtin": Mistake("pictures", [put("/data/name", "MNIST")]),
    "mnist of torchvision": Mistake("pictures", [put("/data/kind", "torchvision"), put("/data/name", "mnist")]),
    "an initialiser xavier": Mistake(
        "graph", [put("/model/nodes/4", {"id": "w", "kind": "Parameter", "shape": [2, 2], "init": "xavier"})]
    ),
}

_VALUES: dict[str, Mistake] = {
    "epochs in a text": Mistake("table", [put("/training/epochs", "5")]),
    "epochs 5.0": Mistake("table", [put("/training/epochs", 5.0)]),
    "epochs 2.5": Mistake("table", [put("/training/epochs", 2.5)]),
    "no epochs": Mistake("table", [put("/training/epochs", 0)]),
    "epochs -1": Mistake("table", [put("/training/epochs", -1)]),
    "batch_size in a list": Mistake("table", [put("/training/batch_size", [32])]),
    "batch_size null": Mistake("table", [put("/training/batch_size", None)]),
    "batch_size auto": Mistake("table", [put("/training/batch_size", "auto")]),
    "lr in words": Mistake("table", [put(RATE, "small")]),
    "lr with a comma": Mistake("table", [put(RATE, "0,01")]),
    "a negative lr": Mistake("table", [put(RATE, -0.01)]),
    "two rates": Mistake("table", [put("/training/lr", 0.5)]),
    "the rate of the plan in a text": Mistake("numbers", [put("/training/lr", "0.5")]),
    "betas one number": Mistake("table", [put(f"{OPTIMIZER}/betas", 0.9)]),
    "betas three": Mistake("table", [put(f"{OPTIMIZER}/betas", [0.9, 0.99, 0.999])]),
    "betas one": Mistake("table", [put(f"{OPTIMIZER}/betas", [0.9])]),
    "beta 1.1": Mistake("table", [put(f"{OPTIMIZER}/betas", [0.9, 1.1])]),
    "a fraction in percent": Mistake("table", [put("/data/validation/fraction", 20)]),
    "a bare fraction in percent": Mistake("table", [put("/data/validation", 20)]),
    "a fraction with %": Mistake("table", [put("/data/validation", "20%")]),
    "validation true": Mistake("table", [put("/data/validation", True)], [put("/data/validation", 0.2)]),
    "validation false": Mistake(
        "table", [put("/data/validation", False)], [drop("/data/validation"), drop("/training/early_stop")]
    ),
    "validation of two kinds": Mistake("table", [put("/data/validation/split", "test")]),
    "a split that there is not": Mistake(
        "table", [put("/data/validation", {"split": "test"})], [put("/data/validation", 0.2)]
    ),
    "a negative fraction": Mistake("table", [put("/data/validation/fraction", -0.2)]),
    "dropout in percent": Mistake("table", [put("/model/layers/2/p", 50)]),
    "dropout 1.5": Mistake("table", [put("/model/layers/2/p", 1.5)]),
    "out_features in a text": Mistake("table", [put(f"{FIRST}/out_features", "16")]),
    "out_features -3": Mistake("table", [put(f"{FIRST}/out_features", -3)]),
    "out_features in a list": Mistake("table", [put(f"{FIRST}/out_features", [16])]),
    "kernel_size of three": Mistake("pictures", [put(f"{FIRST}/kernel_size", [3, 3, 3])]),
    "kernel_size 3x3": Mistake("pictures", [put(f"{FIRST}/kernel_size", "3x3")]),
    "padding smae": Mistake("pictures", [put(f"{FIRST}/padding", "smae")]),
    "bias in words": Mistake("table", [put(f"{FIRST}/bias", "maybe")]),
    "precision 16": Mistake("table", [put("/training/precision", 16)], [put("/training/device", "cuda")]),
    "precision fp32": Mistake("table", [put("/training/precision", "fp32")]),
    "device gpu": Mistake("table", [put("/training/device", "gpu")]),
    "device cuda:0": Mistake("table", [put("/training/device", "cuda:0")]),
    "scale zscore": Mistake("table", [put("/data/scale", "zscore")]),
    "mode minimize": Mistake("table", [put("/training/early_stop/mode", "minimize")]),
    "reduction average": Mistake("table", [put("/objective/loss/reduction", "average")]),
    "interval epochs": Mistake("table", [put("/training/schedule/interval", "epochs")]),
    "label_smoothing 10": Mistake("table", [put("/objective/loss/label_smoothing", 10)]),
    "name 3": Mistake("table", [put("/name", 3)]),
    "an id with a hyphen": Mistake("table", [put(f"{FIRST}/id", "first-layer")]),
    "a number as id": Mistake("table", [put(f"{FIRST}/id", 1)]),
    "a reserved id": Mistake("table", [put(f"{FIRST}/id", "forward")], [put(f"{FIRST}/id", "front")]),
    "early_stop 3": Mistake("table", [put("/training/early_stop", 3)]),
    "early_stop true": Mistake("table", [put("/training/early_stop", True)]),
    "version 2": Mistake("table", [put("/version", 2)]),
    "priority 1000": Mistake("table", [put("/priority", 1000)]),
    "metadata of numbers": Mistake("table", [put("/metadata", {"run": 3})]),
    "a wrong dataset id": Mistake("graph", [put("/data/id", "reviews.csv")], [put("/data/id", "ds_" + "1" * 32)]),
    "weights in a text": Mistake("table", [put("/objective/loss/weight", "balance")]),
    "weights for two classes": Mistake(
        "table", [put("/objective/loss/weight", [1, 2])], [drop("/objective/loss/weight")]
    ),
}

_SHAPES: dict[str, Mistake] = {
    "model is a list": Mistake("table", [put("/model", TABLE["model"]["layers"])]),
    "layers is an object": Mistake("table", [put("/model/layers", {"kind": "Linear", "out_features": 3})]),
    "layers is empty": Mistake("table", [put("/model/layers", [])], [put("/model/layers", TABLE["model"]["layers"])]),
    "a layer is a list": Mistake(
        "table", [put(FIRST, ["Linear", 16])], [put(FIRST, {"kind": "Linear", "out_features": 16})]
    ),
    "data is a name": Mistake(
        "table", [put("/data", "iris")], [put("/data", {"kind": "builtin", "name": "iris", "validation": 0.2})]
    ),
    "data is a name of torchvision": Mistake("pictures", [put("/data", "MNIST")]),
    "data is an id": Mistake("graph", [put("/data", "ds_" + "1" * 32)]),
    "objective is a name": Mistake("table", [put("/objective", "CrossEntropyLoss")]),
    "objective is empty": Mistake("table", [put("/objective", {})]),
    "training is a number": Mistake("table", [put("/training", 5)]),
    "metrics is an object": Mistake("table", [put("/objective/metrics", {"accuracy": True})]),
    "features is a list": Mistake(
        "graph",
        [put("/data/features", [{"name": "review", "type": "text"}])],
        [put("/data/features", GRAPH["data"]["features"])],
    ),
    "groups is an object": Mistake("table", [put("/training/groups", {"nodes": ["linear1"], "frozen": True})]),
    "no model": Mistake("table", [drop("/model")], [put("/model", TABLE["model"])]),
    "no data": Mistake("table", [drop("/data")], [put("/data", TABLE["data"])]),
    "no objective": Mistake("table", [drop("/objective")], [put("/objective", TABLE["objective"])]),
    "no name of the data": Mistake("table", [drop("/data/name")]),
    "no out_features": Mistake("table", [drop(f"{FIRST}/out_features")]),
    "no kernel_size": Mistake("pictures", [drop(f"{FIRST}/kernel_size")]),
    "no step_size": Mistake("table", [drop("/training/schedule/step_size")]),
    "layers and nodes": Mistake("table", [put("/model/nodes", GRAPH["model"]["nodes"])], [drop("/model/nodes")]),
    "layers with outputs": Mistake("table", [put("/model/outputs", {"scores": "linear2"})]),
    "a layer with inputs": Mistake("table", [put(f"{FIRST}/inputs", ["x"])]),
    "a node without id": Mistake("graph", [drop("/model/nodes/0/id")], [put("/model/nodes/0/id", "tokens")]),
    "epochs and steps": Mistake("table", [put("/training/steps", 100)]),
    "warm-up of both": Mistake("table", [put("/training/warmup", {"steps": 5, "epochs": 1})]),
    "warm-up of neither": Mistake("table", [put("/training/warmup", {})], [put("/training/warmup", {"epochs": 1})]),
    "warm-up of a number": Mistake("table", [put("/training/warmup", 5)]),
    "warm-up with OneCycleLR": Mistake(
        "table",
        [put("/training/schedule", {"kind": "OneCycleLR", "max_lr": 0.1}), put("/training/warmup", {"steps": 2})],
    ),
    "warm-up longer than the run": Mistake(
        "table", [put("/training/warmup", {"epochs": 50})], [put("/training/warmup", {"epochs": 2})]
    ),
    "fp16 on the CPU": Mistake("table", [put("/training/precision", "fp16"), put("/training/device", "cpu")]),
    "LBFGS that clips": Mistake("table", [put(OPTIMIZER, "LBFGS"), put("/training/clip_norm", 1.0)]),
    "Muon with biases": Mistake("table", [put(OPTIMIZER, "Muon")], [put(OPTIMIZER, "AdamW")]),
    "a group's setting of another optimizer": Mistake(
        "table", [put("/training/groups", [{"nodes": ["linear1"], "momentum": 0.9}])]
    ),
    "a group of an unknown node": Mistake("table", [put("/training/groups", [{"nodes": ["linear9"], "lr": 0.1}])]),
    "a frozen group with a rate": Mistake(
        "table", [put("/training/groups", [{"nodes": ["linear1"], "frozen": True, "lr": 0.1}])]
    ),
    "a group of a layer without weights": Mistake(
        "table", [put("/training/groups", [{"nodes": ["relu1", "linear1"], "lr": 0.1}])]
    ),
    "a monitor of another job": Mistake("table", [put("/training/early_stop/monitor", "val/acc")]),
    "a monitor val_loss": Mistake("table", [put("/training/early_stop/monitor", "val_loss")]),
    "a monitor without validation": Mistake("table", [drop("/data/validation"), put("/data/name", "iris")]),
    "an unknown schedule argument": Mistake("table", [put("/training/schedule/T_max", 5)]),
    "a schedule of another's arguments": Mistake("table", [put("/training/schedule/kind", "CosineAnnealingLR")]),
}

_MEANING: dict[str, Mistake] = {
    "acc": Mistake("table", [put("/objective/metrics", ["acc"])]),
    "Accuracy": Mistake("table", [put("/objective/metrics", ["Accuracy"])]),
    "a bare acc": Mistake("table", [put("/objective/metrics", "acc")]),
    "rms for classes": Mistake("table", [put("/objective/metrics", ["rms"])]),
    "mae for classes": Mistake("table", [put("/objective/metrics", ["mae"])]),
    "accuracy for numbers": Mistake("numbers", [put("/objective/metrics", ["accuracy"])]),
    "r2_score": Mistake("numbers", [put("/objective/metrics", ["r2_score"])]),
    "roc_auc": Mistake("table", [put("/objective/metrics", ["roc_auc"])]),
    "span_f1 for classes": Mistake("table", [put("/objective/metrics", ["span_f1"])]),
    "an unknown target": Mistake("graph", [put("/data/target", "Mood")]),
    "an unknown column": Mistake("graph", [put("/data/features/review/column", "reviews")]),
    "an unknown column in a list": Mistake("graph", [put("/data/features/stars/columns", ["star"])]),
    "an unknown input": Mistake("graph", [put("/model/inputs/2", "town")], [put("/model/inputs/2", "stars")]),
    "an unknown input of the data": Mistake("table", [put("/data/inputs", ["X"])]),
    "an unknown node": Mistake("graph", [put("/model/nodes/3/inputs", ["bot"])]),
    "an unknown output": Mistake("graph", [put("/objective/output", "score")]),
    "an output of an unknown node": Mistake("graph", [put("/model/outputs/scores", "score")]),
    "numbers of a text": Mistake(
        "graph", [put("/data/features/stars/columns", ["review"])], [put("/data/features/stars/columns", ["stars"])]
    ),
    "a text of a number": Mistake(
        "graph", [put("/data/features/review/column", "stars")], [put("/data/features/review/column", "review")]
    ),
    "two inputs of Linear": Mistake(
        "graph", [put("/model/nodes/3/inputs", ["both", "stars"])], [put("/model/nodes/3/inputs", ["both"])]
    ),
    "a cycle": Mistake(
        "graph", [put("/model/nodes/2/inputs", ["read", "scores"])], [put("/model/nodes/2/inputs", ["read", "stars"])]
    ),
    "an id twice": Mistake("graph", [put("/model/nodes/2/id", "read")], [put("/model/nodes/2/id", "both")]),
    "too narrow": Mistake("table", [put(f"{LAST}/out_features", 2)]),
    "too wide for a number": Mistake("numbers", [put("/model/layers/2/out_features", 3)]),
    "a forgotten Flatten": Mistake("pictures", [drop("/model/layers/4")]),
    "a wrong in_features": Mistake("table", [put(f"{FIRST}/in_features", 5)]),
    "a wrong in_channels": Mistake("pictures", [put(f"{FIRST}/in_channels", 3)]),
    "Conv2d on a table": Mistake(
        "table",
        [put(FIRST, {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3})],
        [put(FIRST, {"kind": "Linear", "out_features": 4})],
    ),
    "BatchNorm1d of images": Mistake(
        "pictures", [put("/model/layers/1", "BatchNorm1d")], [put("/model/layers/1", "BatchNorm2d")]
    ),
    "a kernel larger than the image": Mistake(
        "pictures", [put(f"{FIRST}/kernel_size", 9)], [put(f"{FIRST}/kernel_size", 3)]
    ),
    "MSELoss for classes": Mistake("table", [put("/objective/loss", "MSELoss"), put("/objective/metrics", [])]),
    "CrossEntropyLoss for a number": Mistake(
        "numbers",
        [put("/objective/loss", "CrossEntropyLoss"), put("/objective/metrics", [])],
        [put("/objective/loss", "MSELoss")],
    ),
    "BCEWithLogitsLoss for three classes": Mistake(
        "table",
        [put("/objective/loss", "BCEWithLogitsLoss"), put("/objective/metrics", [])],
        [put("/objective/loss", "CrossEntropyLoss")],
    ),
    "a GRU's whole sequence": Mistake(
        "graph",
        [put("/model/nodes/1/returns", "sequence"), put("/model/nodes/3/inputs", ["read"]), drop("/model/nodes/2")],
    ),
    "num_heads that do not divide": Mistake(
        "graph",
        [
            put(
                "/model/nodes/1",
                {"id": "read", "kind": "TransformerEncoderLayer", "inputs": ["tokens", "review_length"], "nhead": 3},
            )
        ],
        [put("/model/nodes/1", GRAPH["model"]["nodes"][1])],
    ),
}

MISTAKES = _FIELDS | _PLACES | _KINDS | _VALUES | _SHAPES | _MEANING
