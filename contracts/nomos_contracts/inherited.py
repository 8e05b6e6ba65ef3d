"""Names that objects of some language answer to although nobody has put anything there under them.

Whoever looks a caller's name up in such an object finds something: the prototype of a map in JavaScript, the attributes
of an object in Python.
"""

from __future__ import annotations

from typing import Final

INHERITED: Final = (
    "__proto__",
    "constructor",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "__class__",
    "__dict__",
    "__init__",
    "__len__",
)
