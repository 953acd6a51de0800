"""Which addresses are asked through a proxy of the environment, and which variable that was."""

import json
import os
import subprocess
import sys

import pytest

from reconciler.client.connections import is_loopback

PROXY = "http://proxy.example.org:3128"
ELSEWHERE = "https://portal.example.org/api/2.0/"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook",
        "http://127.255.3.4/",
        "https://localhost/",
        "http://LOCALHOST.:81",
        "http://portal.localhost/",
        "http://[::1]:3000/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_this_machine_is_known_by_every_name_it_has(url: str) -> None:
    """A proxy elsewhere would ask its own loopback."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "http://10.0.0.1/",
        "http://128.0.0.1/",
        "http://[fe80::1]/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://user:127.0.0.1@example.org/",
        "http://[::1",
        "",
    ],
)
def test_every_other_address_is_elsewhere(url: str) -> None:
    """Also one that only looks like this machine, and one that is none."""
    assert not is_loopback(url)


def asked(url: str, **environ: str) -> tuple[dict[str, str], str]:
    """Return the proxies and the variable for an address in an environment of its own."""
    text = (
        "import json; from reconciler.client.connections import proxies_for, proxy_variable; "
        f"print(json.dumps([proxies_for({url!r}), proxy_variable({url!r})]))"
    )
    command = [sys.executable, "-c", text]
    bare = {name: os.environ[name] for name in os.environ if "proxy" not in name.lower()}
    done = subprocess.run(command, env=bare | environ, capture_output=True, text=True, check=True)
    proxies, variable = json.loads(done.stdout)
    return proxies, variable


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"https_proxy": PROXY}, "https_proxy"),
        ({"HTTPS_PROXY": PROXY, "http_proxy": PROXY}, "HTTPS_PROXY"),
        ({"ALL_PROXY": PROXY}, "ALL_PROXY"),
        ({"all_proxy": PROXY, "no_proxy": "other.example.org"}, "all_proxy"),
        ({"http_proxy": PROXY}, ""),
        ({"https_proxy": PROXY, "no_proxy": "example.org"}, ""),
        ({}, ""),
    ],
)
def test_the_variable_whose_proxy_is_asked_is_named(environ: dict[str, str], variable: str) -> None:
    """In either case; not where no_proxy keeps the host from it."""
    assert asked(ELSEWHERE, **environ)[1] == variable


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://localhost:1/", "http://[::1]:1/"])
def test_this_machine_has_no_proxy_whatever_is_set(url: str) -> None:
    """Upper and lower case, for each scheme and for all."""
    named = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    assert asked(url, **dict.fromkeys(named, PROXY)) == ({}, "")
