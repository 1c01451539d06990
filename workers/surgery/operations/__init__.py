"""Operations of an edit: one function each, which changes a draft.

Here: what an operation makes of a document, and which tensors it continues. Never: the grammar (see `app.spec.edits`).
"""
