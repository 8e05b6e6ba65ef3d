"""Faults of connections: proxies between a caller and what it calls, in this process or in a Toxiproxy server."""
