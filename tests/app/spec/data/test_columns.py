from app.spec.data.columns import Column, DataSchema

SCHEMA = DataSchema(columns=(Column(name="a"), Column(name="b", type="text"), Column(name="b")), rows={}, inputs=("a",))


def test_a_column_is_found_by_its_name() -> None:
    assert SCHEMA.column("a") is SCHEMA.columns[0]
    assert SCHEMA.column("b") is SCHEMA.columns[1]  # the first of a name
    assert SCHEMA.column("c") is None
    assert (SCHEMA.is_input("a"), SCHEMA.is_input("b")) == (True, False)


def test_a_copy_looks_at_its_own_columns() -> None:
    assert SCHEMA.column("a") is not None
    assert SCHEMA.is_input("a")
    copied = SCHEMA.model_copy(update={"columns": (Column(name="c"),), "inputs": ("c",)})
    assert copied.column("a") is None
    assert copied.column("c") is copied.columns[0]
    assert (copied.is_input("a"), copied.is_input("c")) == (False, True)


def test_looking_changes_nothing_that_is_compared_or_stored() -> None:
    fresh = DataSchema.model_validate(SCHEMA.model_dump())
    assert SCHEMA.column("a") is not None
    assert fresh == SCHEMA
    assert fresh.model_dump() == SCHEMA.model_dump()
