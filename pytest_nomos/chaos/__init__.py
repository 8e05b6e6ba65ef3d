"""Chaos: faults that are done to running providers, ended for certain, and proven to have bitten."""
