"""What the tests of speech share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """One thread that encodes."""
    with ThreadPoolExecutor(1) as executor:
        yield executor
