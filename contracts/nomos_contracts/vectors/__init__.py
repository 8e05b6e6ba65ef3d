"""Golden vectors: messages of the protocol as bytes and as JSON, for authors in any language.

`v1.json`, `v2.json`  messages that must be written and read (``messages``), bytes that must be read although nobody
    writes them so (``tolerated``), and what is answered to what (``exchanges``)
`errors.json`  errors with the status that travels in the trailer `grpc-status-details-bin`
`negative.json`  bytes that must be refused, and with which status codes
`compute.json`  requests and answers of the compute interface, and requests that must be refused

The first four are written by `tools/generate_vectors.py`, those of interfaces by `tools/interface_page.py`;
`docs/wire/config.md` and `docs/wire/compute.md` say how to use them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

NAMES = ("v1", "v2", "errors", "negative")
INTERFACE_NAMES = ("compute",)


@cache
def vectors(name: str) -> dict[str, Any]:
    """Return one file of vectors (see ``NAMES`` and ``INTERFACE_NAMES``) as it stands.

    Raises:
        KeyError: there is none of that name.
    """
    known = (*NAMES, *INTERFACE_NAMES)
    if name not in known:
        raise KeyError(f"there are no vectors {name!r}; there are {', '.join(known)}")
    found: dict[str, Any] = json.loads(
        resources.files("nomos_contracts.vectors").joinpath(f"{name}.json").read_text(encoding="utf-8")
    )
    return found
