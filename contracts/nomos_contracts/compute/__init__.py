"""The contract of compute providers."""
