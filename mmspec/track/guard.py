"""What keeps a tracker from stopping the run: at its first error it says so, and ignores all that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmspec.plugins.api import TrackerSession
from mmspec.track.layout import Ended


def reason(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ")


class NoSession(TrackerSession):
    """A tracker that is switched off."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def finish(self, status: Ended, values: Mapping[str, float]) -> None:
        """Do nothing."""


class GuardedSession(TrackerSession):
    """A session that lets no error out, if it does by `_try` and `_end` what can go wrong.

    `tracker` is the name that the user knows it by; `advice` is what the user can do after an error.
    """

    def __init__(self, tracker: str, say: Callable[[str], None], *, advice: str = "") -> None:
        self._tracker, self._say, self._advice = tracker, say, advice
        self._on = True

    def _try(self, act: Callable[[], None]) -> None:
        """Do this, unless the session is over; an error ends it."""
        if not self._on:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            self._on = False
            self._stop(error)
            advice = f"; {self._advice}" if self._advice else ""
            self._say(f"{self._tracker}: mirroring stopped, the run goes on ({reason(error)}){advice}")

    def _end(self, act: Callable[[], None]) -> None:
        """Do this as the last thing: the session is over."""
        self._try(act)
        self._on = False

    def _stop(self, error: Exception) -> None:
        """Let go of what the session holds; called at its first error."""
