"""Write the JSON Schema of the report beside its model: ``python tools/generate_report_schema.py``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest_nomos.report
from pytest_nomos.report.model import report_schema

PATH = Path(pytest_nomos.report.__file__).parent / "schema.json"


def schema_text() -> str:
    """Return the schema as the text of schema.json."""
    return json.dumps(report_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
