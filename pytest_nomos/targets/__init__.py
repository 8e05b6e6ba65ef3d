"""Targets: the provider under test, as one string on the command line."""
