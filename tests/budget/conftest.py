"""What a budget's tests leave behind."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _monitors_go_with_their_models() -> Iterator[None]:
    """An attached Monitor keeps compiled code off in the whole process for as long as its model lives."""
    yield
    gc.collect()
