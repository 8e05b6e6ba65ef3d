"""Golden vectors: messages of the protocol as bytes and as JSON, for authors in any language.

`v1.json`, `v2.json`  messages that must be written and read (``messages``), bytes that must be read although nobody
    writes them so (``tolerated``), and what is answered to what (``exchanges``)
`errors.json`  errors with the status that travels in the trailer `grpc-status-details-bin`
`negative.json`  bytes that must be refused, and with which status codes

They are written by `tools/generate_vectors.py`; `docs/wire/config.md` says how to use them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

NAMES = ("v1", "v2", "errors", "negative")


@cache
def vectors(name: str) -> dict[str, Any]:
    """Return one file of vectors (see ``NAMES``) as it stands.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in NAMES:
        raise KeyError(f"there are no vectors {name!r}; there are {', '.join(NAMES)}")
    found: dict[str, Any] = json.loads(
        resources.files("nomos_contracts.vectors").joinpath(f"{name}.json").read_text(encoding="utf-8")
    )
    return found
