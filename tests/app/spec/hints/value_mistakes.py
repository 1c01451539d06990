"""Mistakes in values, in the form of a part, and in what the parts of a job mean together."""

from tests.app.spec.hints.edits import drop, put
from tests.app.spec.hints.jobs import FIRST, GRAPH, LAST, OPTIMIZER, RATE, TABLE, Mistake

VALUES: dict[str, Mistake] = {
    "a test in percent": Mistake("table", [put("/data/test", 10)]),
    "a fold of unknown many": Mistake("table", [put("/data/validation", {"fold": 1})]),
    "a fold beyond the last": Mistake("table", [put("/data/validation", {"fold": 6, "of": 5})]),
    "a column of rows without a value": Mistake(
        "graph", [put("/data/validation", {"column": "town"})], [put("/data/validation", 0.2)]
    ),
    "groups and time": Mistake("graph", [put("/data/validation", {"fraction": 0.2, "group": "town", "time": "stars"})]),
    "groups that there are not": Mistake("graph", [put("/data/validation", {"fraction": 0.2, "group": "Town"})]),
    "a seed of named rows": Mistake(
        "graph", [put("/data/validation", {"split": "test", "seed": 3})], [put("/data/validation", 0.2)]
    ),
    "stratify by numbers": Mistake("numbers", [put("/data/validation", {"fraction": 0.2, "stratify": True})]),
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

FORMS: dict[str, Mistake] = {
    "model is a name": Mistake("pictures", [put("/model", "resnet18")]),
    "model is a list with mistakes": Mistake(
        "table", [put("/model", [{"kind": "Dense", "units": 3}])], [put("/model", TABLE["model"])]
    ),
    "a loss in a list": Mistake("table", [put("/objective/loss", ["CrossEntropyLoss"])]),
    "an object for a rate": Mistake("numbers", [put("/training/lr", {"initial": 0.1})]),
    "outputs is a name": Mistake("graph", [put("/model/outputs", "scores")]),
    "outputs is a list": Mistake("graph", [put("/model/outputs", ["scores"])]),
    "a node without inputs": Mistake("graph", [drop("/model/nodes/3/inputs")]),
    "a feature's name with a space": Mistake(
        "table", [put("/objective", {"heads": {"my head": {"loss": "CrossEntropyLoss"}}})]
    ),
    "resources is a name": Mistake("table", [put("/resources", "gpu")]),
    "layers is an object of layers": Mistake(
        "table", [put("/model/layers", {"a": {"kind": "Linear", "out_features": 3}})], [put("/model", TABLE["model"])]
    ),
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

MEANING: dict[str, Mistake] = {
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
