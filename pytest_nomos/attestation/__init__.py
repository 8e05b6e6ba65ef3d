"""What others can verify: the in-toto statement of a run, its signature, and the verification of both."""
