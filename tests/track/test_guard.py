"""What all trackers do at their first error."""

from __future__ import annotations

import pytest

from mmspec.track.guard import GuardedSession, NoSession, reason


class Session(GuardedSession):
    """Fails at a row with "bad"; keeps the order of what it does."""

    def __init__(self, say, **options):
        super().__init__("Mirror", say, **options)
        self.did = []

    def log(self, values, step):
        self._try(lambda: self.did.append(values["good"]))

    def finish(self, status, values):
        self._end(lambda: self.did.append(status))

    def _stop(self, error):
        self.did.append(type(error))


def test_the_first_error_is_said_and_what_follows_is_ignored(said):
    session = Session(said, advice="look there")
    session.log({"good": 1.0}, 0)
    session.log({"bad": 1.0}, 1)
    session.log({"good": 2.0}, 2)
    session.log({"bad": 2.0}, 3)
    session.finish("finished", {})

    assert session.did == [1.0, KeyError]
    assert said.only == "Mirror: mirroring stopped, the run goes on (KeyError: 'good'); look there"


def test_a_session_that_has_ended_does_nothing_more(said):
    session = Session(said)
    session.finish("failed", {})
    session.log({"good": 1.0}, 0)
    session.log({"bad": 1.0}, 1)
    session.finish("finished", {})

    assert session.did == ["failed"]
    assert not said.lines


def test_an_interruption_is_no_error_of_the_tracker(said):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Session(said)._try(interrupted)
    assert not said.lines


def test_an_error_is_one_short_line():
    assert reason(ValueError("no\n  room")) == "ValueError: no room"
    assert reason(ValueError()) == "ValueError"
    assert len(reason(ValueError("x" * 999))) == 300


def test_a_tracker_that_is_off_does_nothing():
    session = NoSession()
    session.log({"a": 1.0}, 0)
    session.finish("finished", {})
