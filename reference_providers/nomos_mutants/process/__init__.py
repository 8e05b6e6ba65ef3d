"""Mutants of the process contract."""
