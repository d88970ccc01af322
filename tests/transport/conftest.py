"""What is true on the wire is true on both lanes."""

import pytest


@pytest.fixture(autouse=True)
def on_both_lanes(lane: str) -> str:
    """Run each test of this folder twice."""
    return lane
