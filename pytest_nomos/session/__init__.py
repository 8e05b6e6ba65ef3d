"""One run: the providers that it keeps, what it asks them first, and what became of each check."""
