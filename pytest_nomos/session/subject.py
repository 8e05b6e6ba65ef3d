"""The subject: the file or package whose digest identifies the provider."""

from __future__ import annotations

from pytest_nomos.report.subject import subject_digest as digest

__all__ = ["digest"]
