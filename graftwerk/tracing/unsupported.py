"""Why a part of a module cannot be expressed."""


class UnsupportedOperation(Exception):
    """A single operation that the language does not have, and what to do instead."""

    def __init__(self, detail: str, hint: str = "") -> None:
        self.detail = detail
        self.hint = hint
        super().__init__(detail)
