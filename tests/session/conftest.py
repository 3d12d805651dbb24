"""Fixtures of the session's tests."""

from __future__ import annotations

import pytest

from realtime.session import messages as wire
from tests.session.talk import Talk, only


@pytest.fixture
def talk() -> Talk:
    """A session that was started."""
    talk = Talk()
    only(talk.send("ping"), wire.SessionReady)
    return talk
