"""Tokens: what is in them."""

import pytest

from app.access.tokens import KEY, LINK, SESSION, make_token, new_secret, parse_credential, parse_id
from app.ids import new_id


@pytest.mark.parametrize("noun", [KEY, SESSION, LINK])
def test_a_token_names_its_row(noun: str) -> None:
    row_id, secret = new_id(noun), new_secret()
    token = make_token(row_id, secret)
    credential = parse_credential(token)
    assert credential is not None
    assert (credential.id, credential.noun) == (row_id, noun)
    assert secret not in str(credential)
    assert parse_credential(token, noun) == credential
    assert {parse_credential(token, other) for other in (KEY, SESSION, LINK) if other != noun} == {None}


@pytest.mark.parametrize("token", ["", "gw", "gw_", "gw__x", "gwx_1_2", "GW_1_2", "gw_é_x", "gw_a b_x", "Basic gw_1_2"])
def test_what_is_no_token_names_none(token: str) -> None:
    assert parse_id(token) is None
    assert parse_credential(token) is None


def test_an_id_is_no_longer_than_its_column() -> None:
    assert len(parse_id("gws_" + "a" * 5000) or "") == 40
