"""The windows on torch of a process that never loads it: what inspects networks, and what predicts."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from app.api.children.inspector import Inspector
from app.api.children.predictor import PredictorPool
from app.settings import Settings
from app.spec.data.sources import BUILTIN_SCHEMAS

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    inspector = Inspector(Settings())
    inspector.warm_up()
    job = {"model": {"layers": [{"kind": "Linear", "out_features": 3}]}, "data": {"kind": "builtin", "name": "wine"},
           "objective": {"loss": {"kind": "CrossEntropyLoss"}}}
    print(inspector.inspect(job, BUILTIN_SCHEMAS["wine"])["totals"]["parameters"])
    inspector.close()
    (folder / "body").write_text('{"rows": [{"x": 1}], "checkpoint": "ckpt_' + "1" * 32 + '"}')
    predictors = PredictorPool(Settings(home=folder))
    print(predictors.requested_checkpoint(folder / "body", "application/json"))
    predictors.close()
    workers = {name for name in sys.modules if name.startswith("workers.") and ".protocol" not in name}
    print(*{name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "safetensors"}, *workers)
"""


def test_the_parent_of_inspectors_and_predictors_never_loads_torch(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    root = Path(__file__).parents[4]
    run = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "program.py", tmp_path],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert run.stdout.split() == ["42", "ckpt_" + "1" * 32]
