"""What holds for every test."""

from hypothesis import settings

# The same draws everywhere, and no deadline: a time says more about the machine than about the code.
settings.register_profile("course", deadline=None, derandomize=True, database=None)
settings.load_profile("course")
