"""Mutants of the compute contract."""
