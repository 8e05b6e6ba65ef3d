"""Mutants: shipped providers with one defect each."""
