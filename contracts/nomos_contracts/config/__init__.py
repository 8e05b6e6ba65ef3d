"""The configuration interface: Init, Fetch, Info, Health, and what they say when they cannot."""
