"""The exception for operations that cannot be expressed."""


class UnsupportedOperation(Exception):
    """An operation that the language cannot express; `hint` says what to do instead."""

    def __init__(self, detail: str, hint: str = "") -> None:
        self.detail = detail
        self.hint = hint
        super().__init__(detail)
