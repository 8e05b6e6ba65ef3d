"""Sweeping: what a run has made outside of its own processes goes again, also when the run was killed."""
