"""Mocks of the interfaces, held to the same contracts as the real thing."""
