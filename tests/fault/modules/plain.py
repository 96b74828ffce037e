"""Has no function."""

NUMBER = 7
