"""Imported by every Python process whose PYTHONPATH has this folder: a service under test, armed from outside."""

import os

if os.environ.get("GRAFTWERK_FAULTS"):
    from tests.faults.fault_injection import arm_process

    arm_process()
