"""The split: the same for everybody, and no copy on both sides."""

from examples.data.split import Example, key_hash, train_test_split

WORDS = [f"word {place}" for place in range(500)]


def test_a_share_is_held_out_and_the_order_of_what_comes_does_not_matter() -> None:
    examples = [Example(word, word, "a") for word in WORDS]
    train, test = train_test_split(examples)
    assert {each.key for each in train} | {each.key for each in test} == set(WORDS)
    assert 70 < len(test) < 130
    assert train_test_split(reversed(examples)) == (train, test)
    assert [key_hash(each.key) for each in train] == sorted(key_hash(each.key) for each in train)


def test_another_example_leaves_the_others_where_they_are() -> None:
    examples = [Example(word, word, "a") for word in WORDS]
    _, test = train_test_split(examples)
    _, without = train_test_split(examples[1:])
    assert {each.key for each in test} - {each.key for each in without} <= {WORDS[0]}


def test_of_copies_the_first_stays_and_of_copies_that_disagree_none() -> None:
    train, test = train_test_split(
        [
            Example("one", "One!", "a"),
            Example("one", "one", "a"),
            Example("two", "two", "a"),
            Example("two", "two", "b"),
        ]
    )
    assert [*train, *test] == [Example("one", "One!", "a")]


def test_numbers_are_of_the_key_alone() -> None:
    assert key_hash("word") == 11007337688422708852
