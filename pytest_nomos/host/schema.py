"""Validating a configuration against its JSON Schema before any provider sees it."""

from __future__ import annotations

from nomos_proto.schema import ConfigError, check_config

__all__ = ["ConfigError", "check_config"]
