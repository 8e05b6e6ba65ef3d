"""The command line: each command is one call into a library."""
