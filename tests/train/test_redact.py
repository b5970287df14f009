import pytest

from homeostat.train.redact import HIDDEN, Redactor


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc.def-ghi_123", "abc.def-ghi_123"),
        ("password=hunter2 next", "hunter2"),
        ("PASSWORD: 'hunter2'", "hunter2"),
        ('{"api_key": "k3y-v4lue"}', "k3y-v4lue"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG"),
        ("postgresql://me:s3same@db/x", "s3same"),
        ("ghp_abcdefghijklmnop1234", "ghp_abcdefghijklmnop1234"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nqq\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJzdWIiOiIxIn0"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, secret):
    shown = Redactor({})(text)
    assert secret not in shown
    assert HIDDEN in shown


def test_values_of_secret_variables_are_hidden_wherever_they_stand():
    redact = Redactor({"MY_TOKEN": "swordfish", "MY_TOKEN_LONG": "swordfish-two", "LEVEL": "informative"})
    assert redact("xswordfish-twox swordfish informative") == f"x{HIDDEN}x {HIDDEN} informative"


@pytest.mark.parametrize("text", ["epoch 3 loss 0.25", "tokens per second 12", "author: someone", "a basic test", ""])
def test_ordinary_output_stays(text):
    assert Redactor({"SHORT_KEY": "1"})(text) == text
