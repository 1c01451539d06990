"""Numbers as people and spreadsheets write them: one format for a whole column, or none."""

from collections import Counter

import pytest

from app.spec.data.columns import NUMBER_FORMATS
from workers.data.notation.number_formats import MARKS, AmbiguousNotation, NumberNotation, detect_notation


@pytest.mark.parametrize(
    ("cells", "notation", "values"),
    [
        (["1,5", "2,75", "3"], ("1234,5", None), [1.5, 2.75, 3]),
        (["0,125", "1,250"], ("1234,5", None), [0.125, 1.25]),
        (["1234,567", "1,250"], ("1234,5", None), [1234.567, 1.25]),
        (["1,234,567", "1,250"], ("1,234.5", None), [1234567, 1250]),
        (["1,234.50", "2"], ("1,234.5", None), [1234.5, 2]),
        (["1.234,56", "7,5", "12"], ("1.234,5", None), [1234.56, 7.5, 12]),
        (["1.234.567", "12"], ("1.234,5", None), [1234567, 12]),
        (["1 100", "7"], ("1 234.5", None), [1100, 7]),
        (["1\u00a0100", "2\u202f200.5", "1\u2009300"], ("1 234.5", None), [1100, 2200.5, 1300]),
        (["1 100", "2 200,5"], ("1 234,5", None), [1100, 2200.5]),
        (["1'000", "2\u2019500.5"], ("1'234.5", None), [1000, 2500.5]),
        (["\u22125", "\u22121.5", "2"], ("1234.5", None), [-5, -1.5, 2]),
        (["(5)", "7.5"], ("1234.5", None), [-5, 7.5]),
        (["+5", "-3"], ("1234.5", None), [5, -3]),
        (["4.2 %", "5%"], ("1234.5", "%"), [4.2, 5]),
        (["12 kg", "3.5 kg"], ("1234.5", "kg"), [12, 3.5]),
        (["90 km/h", "120 km/h"], ("1234.5", "km/h"), [90, 120]),
        (["30°C", "-2.5 °C"], ("1234.5", "°C"), [30, -2.5]),
        (["€ 3.50", "-€4", "€ 1,200.00"], ("1,234.5", "€"), [3.5, -4, 1200]),
        (["5 €", "7,50 €", "1.200,00 €"], ("1.234,5", "€"), [5, 7.5, 1200]),
        (["EUR 5", "EUR 6.5"], ("1234.5", "EUR"), [5, 6.5]),
        (["($1,200.00)", "$7.00"], ("1,234.5", "$"), [-1200, 7]),
        (["1,5E3", "2,5"], ("1234,5", None), [1500, 2.5]),
        ([".5", "5."], ("1234.5", None), [0.5, 5]),
    ],
)
def test_a_column_of_one_format(cells: list[str], notation: tuple[str, str | None], values: list[float]) -> None:
    found = detect_notation(Counter(cells), 0.0)
    assert found == NumberNotation(*notation)
    assert [found.parse(cell) for cell in cells if found] == values


@pytest.mark.parametrize(
    "cells",
    [
        ["12 kg", "900 g"],
        ["12 kg", "12"],
        ["5%", "0.1"],
        ["2A", "3A"],
        ["10k", "20k"],
        ["1.5", "2,5"],
        ["1,23,456", "2"],
        ["1_000", "2"],
        ["0x1F", "3"],
        ["12:30", "13:40"],
        ["192.168.0.1", "10.0.0.1"],
        ["1-2", "3-4"],
        ["3 apples", "1 apple"],
        ["room 1", "room 2"],
        ["½", "1"],
        ["(5", "7)"],
        ["--5", "3"],
        ["$5 €", "$6 €"],
        ["1e999", "2"],
        ["a", "b"],
        [""],
    ],
)
def test_cells_of_no_format(cells: list[str]) -> None:
    assert detect_notation(Counter(cells), 0.0) is None


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["175,921", "60,100"], {"1234,5": "175.921", "1,234.5": "175921"}),
        (["$1,200", "$950"], {"1234,5": "1.2", "1,234.5": "1200"}),
        (["1.234 kg", "5.678 kg"], {"1234.5": "1.234", "1.234,5": "1234"}),
    ],
)
def test_several_formats_that_differ_are_ambiguous(cells: list[str], values: dict[str, str]) -> None:
    with pytest.raises(AmbiguousNotation) as caught:
        detect_notation(Counter(cells), 0.0)
    assert caught.value.values == values
    for name, value in values.items():
        found = detect_notation(Counter(cells), 0.0, name)
        assert found is not None
        assert found.parse(cells[0]) == float(value)


def test_a_few_other_cells_are_mistakes() -> None:
    cells = Counter({f"{number},5": 1 for number in range(200)} | {"oops": 1})
    assert detect_notation(cells, 0.0) is None
    assert detect_notation(cells, 0.01) == NumberNotation("1234,5")


def test_every_format_is_described_and_reads_its_own_name() -> None:
    assert MARKS.keys() == NUMBER_FORMATS.keys()
    assert {NumberNotation(name).parse(name) for name in MARKS} == {1234.5}
