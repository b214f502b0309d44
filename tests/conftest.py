"""What holds for every test."""

import pytest
import torch
from hypothesis import HealthCheck, settings

# The same draws everywhere, and no deadline: a time says more about the machine than about the code.
settings.register_profile(
    "course", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("course")


@pytest.fixture(autouse=True)
def the_same_draws_of_torch():
    """What torch draws in a test does not depend on the tests that ran before it in the same process."""
    torch.manual_seed(0)
