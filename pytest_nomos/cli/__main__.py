"""``python -m pytest_nomos.cli`` is ``pytest-nomos``."""

from pytest_nomos.cli import main

main()
