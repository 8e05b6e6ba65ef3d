"""Reference providers of the configuration interface."""
