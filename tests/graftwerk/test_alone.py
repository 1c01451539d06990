import subprocess
import sys

HEAVY = "torch fastapi starlette pydantic_settings sqlalchemy celery kombu redis numpy safetensors app workers yaml"
LOOK = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import graftwerk.cli.main
from typer.testing import CliRunner
answer = CliRunner().invoke(graftwerk.cli.main.app, ["--help"])
assert answer.exit_code == 0, answer.output
print(graftwerk.Client.__name__)
"""


def test_the_client_and_the_command_line_work_without_the_service_installed() -> None:
    run = subprocess.run([sys.executable, "-c", LOOK], check=False, capture_output=True, text=True)
    assert run.stdout.strip() == "Client", run.stderr
