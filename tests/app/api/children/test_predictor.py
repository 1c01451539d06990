"""The window on torch through which networks answer."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from app.api.children.predictor import PredictorPool
from app.settings import Settings

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "body").write_text('{"rows": [{"x": 1}], "checkpoint": "ckpt_' + "1" * 32 + '"}')
    predictors = PredictorPool(Settings(home=folder))
    print(predictors.requested_checkpoint(folder / "body", "application/json"))
    predictors.close()
    workers = {name for name in sys.modules if name.startswith("workers.") and ".protocol" not in name}
    print(*{name.partition(".")[0] for name in sys.modules} & {"torch", "torchvision", "safetensors"}, *workers)
"""


def test_the_parent_never_loads_torch(tmp_path: Path) -> None:
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
    assert run.stdout.split() == ["ckpt_" + "1" * 32]
