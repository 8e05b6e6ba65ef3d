"""pytest-nomos: tells, for a provider written in any language, which clauses of its contract it keeps."""

__version__ = "0.1.0"
