"""Mutants of the registry contract."""
