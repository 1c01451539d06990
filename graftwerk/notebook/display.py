"""An output of a running notebook, which is replaced."""

from importlib import import_module
from typing import Any, Protocol

from graftwerk.errors import GraftwerkClientError, MissingPackage
from graftwerk.notebook.html import Html


class Output(Protocol):
    """An output of a notebook that can be replaced."""

    def update(self, shown: object) -> None:
        """Replace what is shown."""
        ...


class JobView:
    """A job and its curves, as a notebook or a terminal shows them."""

    def __init__(self, html: Html, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def open_output(view: JobView) -> Output:
    """Show a view in the running notebook. Raises `MissingPackage` or `GraftwerkClientError` if there is none."""
    try:
        ipython = import_module("IPython")
        display: Any = import_module("IPython.display").display
    except ImportError as error:
        raise MissingPackage("ipython", "jupyter") from error
    if ipython.get_ipython() is None:
        raise GraftwerkClientError("show() needs a notebook; in a terminal: graftwerk watch and graftwerk plot")
    output: Output = display(view, display_id=True)
    return output
