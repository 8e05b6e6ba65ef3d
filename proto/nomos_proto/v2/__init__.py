"""Generated stubs of version 2; regenerate with ``tools/generate_stubs.py``."""
