"""Lines of user code: of an operation, of an error, and those that only check sizes."""

import ast
import linecache
import os
from functools import cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from graftwerk.tracing.recording.symbolic_trace import UNKNOWN_LOCATION, SourceLocation

TRACING_FOLDER = str(Path(__file__).parent.parent)


@cache
def library_folders() -> tuple[str, ...]:
    """Return the folders of torch and of this package, whose lines are not the user's."""
    return TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent) + os.sep


def forward_location(module: Any) -> SourceLocation:
    """Return the first line of a module's forward."""
    code = getattr(type(module).forward, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else UNKNOWN_LOCATION


@cache
def _check_lines(file: str) -> frozenset[int]:
    """Return the lines of a file's asserts, and of `if` statements that only raise."""
    lines: set[int] = set()
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.If) and all(isinstance(each, ast.Raise) for each in node.body) and not node.orelse:
            lines |= set(range(node.lineno, (node.test.end_lineno or node.lineno) + 1))
    return frozenset(lines)


def is_check(location: SourceLocation) -> bool:
    """Return whether a line is an assert, or an `if` that only raises."""
    return location[1] in _check_lines(location[0])


def caller_location(frame: FrameType | None, outermost: CodeType | None) -> SourceLocation:
    """Return the innermost line of user code within the call of `outermost`."""
    while frame is not None and frame.f_code is not outermost:
        if not frame.f_code.co_filename.startswith(library_folders()) and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return UNKNOWN_LOCATION


def error_location(traceback: TracebackType | None) -> SourceLocation:
    """Return the innermost line of user code in a traceback."""
    location = UNKNOWN_LOCATION
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(library_folders()) and not name.startswith("<"):
            location = name, traceback.tb_lineno
        traceback = traceback.tb_next
    return location
