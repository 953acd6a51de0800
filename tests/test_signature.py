"""Signing and verifying: the portal's own samples, and every signature that must be refused."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.signature import HEADER, find_signing_key, sign
from tests.support_samples import SAMPLES, sample

BODY = b'{"event":{}}'
DELIVERIES = sorted(path.name for path in SAMPLES.glob("webhook_*.http.json"))

# HMAC pads a key with NULs, so "a" and "a\0" are one secret.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_the_samples_are_there() -> None:
    """The samples of deliveries are not an empty list."""
    assert len(DELIVERIES) == 5


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_delivery_of_the_portal_is_authentic(name: str) -> None:
    """A delivery that the portal signed is matched by its secret."""
    delivery = sample(name)
    body, header = delivery["rawBody"].encode(), delivery["headers"][HEADER]
    assert find_signing_key(body, header, [delivery["secret"]]) == 0


@pytest.mark.parametrize("name", DELIVERIES)
def test_we_sign_as_the_portal_does(name: str) -> None:
    """Our signature header equals the portal's, byte for byte."""
    delivery = sample(name)
    assert sign(delivery["rawBody"].encode(), delivery["secret"]) == delivery["headers"][HEADER]


def test_a_retry_is_signed_anew() -> None:
    """The body of a retry differs, so the first delivery's signature does not match it."""
    first = sample("webhook_file_updated.http.json")
    retry = sample("webhook_file_updated_retry.http.json")
    assert first["headers"][HEADER] != retry["headers"][HEADER]
    header = first["headers"][HEADER]
    assert find_signing_key(retry["rawBody"].encode(), header, [first["secret"]]) is None


def test_the_signature_is_upper_case_hex_of_hmac_sha256() -> None:
    """The signature is the upper-case hex HMAC-SHA256 of the standard library."""
    digest = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest().upper()
    assert sign(BODY, "secret") == f"sha256={digest}"


def test_hex_of_either_case_is_accepted() -> None:
    """Lower-case hex, as other senders write it, verifies too."""
    prefix, digest = sign(BODY, "secret").split("=")
    assert find_signing_key(BODY, f"{prefix}={digest.lower()}", ["secret"]) == 0


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256",
        sign(BODY, "secret").removeprefix("sha256="),
        sign(BODY, "secret").replace("sha256=", "SHA256="),
        sign(BODY, "secret").replace("sha256=", "sha1="),
        sign(BODY, "secret")[:-1],
        sign(BODY, "secret") + "0",
        sign(BODY, "secret") + " ",
        " " + sign(BODY, "secret"),
        "sha256=sha256=" + sign(BODY, "secret"),
        sign(BODY, "other"),
        sign(BODY + b" ", "secret"),
        "sha256=ÿ\x80é",
        "sha256=\ud800",
        "sha256=" + "\u0661" * 64,
    ],
)
def test_any_other_header_is_refused(header: str | None) -> None:
    """A missing, truncated, foreign, misprefixed or non-ASCII header matches no secret."""
    assert find_signing_key(BODY, header, ["secret"]) is None


def test_no_secret_matches_nothing() -> None:
    """Without secrets even a well-formed header matches nothing."""
    assert find_signing_key(BODY, sign(BODY, "secret"), []) is None


@pytest.mark.parametrize(("signer", "index"), [("new", 0), ("old", 1), ("older", 2)])
def test_the_matching_secret_is_told(signer: str, index: int) -> None:
    """The matching secret's index is returned, which shows during a rotation which one is used."""
    assert find_signing_key(BODY, sign(BODY, signer), ["new", "old", "older"]) == index


def test_the_newest_of_equal_secrets_is_told() -> None:
    """A secret that is listed twice is matched at its newest place."""
    assert find_signing_key(BODY, sign(BODY, "b"), ["a", "b", "b"]) == 1


def test_parsed_and_written_again_is_another_body() -> None:
    """The portal escapes non-ASCII; the same JSON in other bytes has another signature."""
    escaped, plain = b'{"title":"\\u00fc"}', '{"title":"ü"}'.encode()
    assert find_signing_key(plain, sign(escaped, "secret"), ["secret"]) is None


@given(body=st.binary(), secret=texts, others=st.lists(texts))
def test_what_is_signed_verifies(body: bytes, secret: str, others: list[str]) -> None:
    """For any bytes and any secret, the signing secret is found among the secrets."""
    secrets = [*others, secret]
    assert find_signing_key(body, sign(body, secret), secrets) == secrets.index(secret)


@given(body=st.binary(), secret=texts, header=st.text())
def test_no_header_breaks_the_check(body: bytes, secret: str, header: str) -> None:
    """Any header has a result and raises no exception."""
    assert find_signing_key(body, header, [secret]) is None


@given(body=st.binary(min_size=1), place=st.integers(0), bit=st.integers(0, 7))
def test_one_bit_changed_is_noticed(body: bytes, place: int, bit: int) -> None:
    """A body that differs in one bit is not matched."""
    changed = bytearray(body)
    changed[place % len(body)] ^= 1 << bit
    assert find_signing_key(bytes(changed), sign(body, "secret"), ["secret"]) is None
