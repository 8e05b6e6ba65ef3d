"""The process of a provider binary: start, announcement, surface, signals, output, leaks."""
