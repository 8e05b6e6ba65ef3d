"""Compute providers."""
