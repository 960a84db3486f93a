"""Whether a W&B server can be used right now: is there a key for it, and does it answer?"""

from __future__ import annotations

import contextlib
import netrc
import os
import threading
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator


def credentials(server: str, settings: Any) -> dict[str, str] | None:
    """The settings that log in at `server` without a question; None when there is no key.

    The places are W&B's own, in its order: the environment, the netrc file, and its settings files.
    A key is handed over explicitly, so that W&B never comes to ask for one.
    """
    if key := os.environ.get("WANDB_API_KEY"):
        return {"api_key": key}
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return {}
    key = _netrc_key(server) or getattr(settings, "api_key", None)
    return {"api_key": key} if key else None


def _netrc_key(server: str) -> str | None:
    places = [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    for path in (Path(place).expanduser() for place in places):
        try:
            entries = netrc.netrc(path)
        except (OSError, netrc.NetrcParseError):
            continue
        for host in _names(server):
            if entry := entries.authenticators(host):
                return entry[2]
    return None


def _names(server: str) -> Iterator[str]:
    """The names under which a key for this server may be stored; W&B knows of a second one for its own."""
    yield urlsplit(server).netloc
    with contextlib.suppress(ImportError, AttributeError):
        from wandb.sdk.lib.urls import forge_upstream_url

        yield urlsplit(forge_upstream_url(server)).netloc


def answers(server: str, seconds: float) -> bool:
    """Whether `server` says anything at all over HTTP within `seconds`; a proxy on the way is used."""
    heard: list[bool] = []

    def ask() -> None:
        try:
            build_opener().open(server, timeout=seconds).close()  # knows the proxies of right now
        except HTTPError as refusal:
            refusal.close()
            heard.append(True)  # a refusal is an answer too
        except URLError as error:
            heard.append(isinstance(error.reason, SSLError))  # W&B has its own settings for certificates
        except (OSError, ValueError, HTTPException):
            heard.append(False)
        else:
            heard.append(True)

    # A thread, because looking up a name obeys no time limit.
    question = threading.Thread(target=ask, daemon=True)
    question.start()
    question.join(seconds)
    return any(heard)
