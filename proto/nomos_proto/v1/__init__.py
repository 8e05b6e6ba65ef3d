"""Generated stubs of version 1; regenerate with ``tools/generate_stubs.py``."""
