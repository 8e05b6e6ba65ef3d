"""Mutants of the config contract."""
