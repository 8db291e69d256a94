"""What must not be seen is found in every form in which it is written."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from mooring.secrets import HIDDEN, SecretFound, Secrets

KEY = 'odd/"key"\\with+signs'


@pytest.mark.parametrize("form", [KEY, quote(KEY, safe=""), quote(KEY), json.dumps({"x": KEY}), json.dumps(KEY).replace("/", "\\/")])
def test_a_secret_is_found_in_every_form(form: str) -> None:
    text = f"before {form} after"
    secrets = Secrets([KEY])
    assert secrets.found_in(text)
    assert secrets.hide(text).count(HIDDEN) == 1
    assert not secrets.found_in(secrets.hide(text))
    with pytest.raises(SecretFound, match="The text") as caught:
        secrets.check(text, "The text")
    assert KEY not in str(caught.value)


def test_a_secret_that_contains_another_is_hidden_whole() -> None:
    secrets = Secrets(["abcdef", "abcdefghij"])
    assert secrets.hide("key=abcdefghij") == "key=[secret]"


def test_words_are_not_blotted_out() -> None:
    secrets = Secrets(["", "a", "key"])
    assert secrets.hide("a key") == "a key"
