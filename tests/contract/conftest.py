"""Lives of jobs on real servers."""

from __future__ import annotations

import pytest
import redis

from tests.support.lives import Life


@pytest.fixture
def life(client: redis.Redis) -> Life:
    """An empty Valkey."""
    return Life(client)


@pytest.fixture
def every_life(every_client: redis.Redis) -> Life:
    """Each server that we support in turn, empty."""
    return Life(every_client)
