"""Measured claims: each module runs both sides in one run and prints a table."""
