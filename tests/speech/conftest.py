"""What the tests of speech share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime.speech.urgent_threads import UrgentThreads


@pytest.fixture
def executor() -> Iterator[UrgentThreads]:
    """One thread that encodes."""
    with UrgentThreads(1) as executor:
        yield executor
