"""Signatures are those of Standard Webhooks."""

import base64

from app.webhooks.signature import new_secret, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the specification's own example
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_specification_s_example() -> None:
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, '{"test": 2432232314}', [SECRET])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNED,
    }


def test_every_secret_signs() -> None:
    other = new_secret()
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}', [other, SECRET])
    first, second = headers["webhook-signature"].split(" ")
    assert first != second == SIGNED


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret() for _ in range(10)}
    assert len(made) == 10
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in made)
