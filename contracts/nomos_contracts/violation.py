"""What a check raises: a broken clause, a clause that could not be tried, or one that does not apply."""

from __future__ import annotations

from typing import Any

from nomos_contracts.provider import Answer
from nomos_proto.kinds import is_map, is_sequence


class Violation(AssertionError):  # noqa: N818 # a verdict on the provider, not an error of the kit
    """The provider broke the clause.

    Attributes:
        expected: what the clause asks for, in words.
        got: what was seen, in words.
        answers: the exchanges that show it, oldest first; the last one is replayed.
        evidence: further facts under short names, plain JSON types only.
    """

    def __init__(self, expected: str, got: str, *answers: Answer, evidence: dict[str, Any] | None = None) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.answers = answers
        self.evidence = evidence or {}

    def waited_for(self, seconds: float) -> bool:
        """Whether an answer that shows it was a deadline of at least *seconds*: the provider had its whole time."""
        return any(answer.code == "DEADLINE_EXCEEDED" and answer.seconds >= seconds for answer in self.answers)


class Blocked(Exception):  # noqa: N818 # an outcome
    """The clause could not be tried.

    Attributes:
        by: ``environment``, ``kit``, ``author``, ``sample:NAME`` or ``clause:ID``.
        reason: why, and what would change it.
    """

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(f"blocked by {by}: {reason}")
        self.by = by
        self.reason = reason


class NotApplicable(Exception):  # noqa: N818 # an outcome
    """The clause asks nothing of this provider; the message says why."""


def expect_code(answer: Answer, *codes: str, because: str = "") -> Answer:
    """Return *answer* if it carries one of the status *codes* (for instance ``"NOT_FOUND"``).

    Raises:
        Violation: it carries another one.
    """
    if answer.code in codes:
        return answer
    asked = f"{answer.method} answers {' or '.join(codes)}" + (f" ({because})" if because else "")
    raise Violation(asked, answer.summary, answer)


def expect_ok(answer: Answer, because: str = "") -> Answer:
    """Return *answer* if the call succeeded.

    Raises:
        Violation: it failed.
    """
    return expect_code(answer, "OK", because=because)


def expect_value(answer: Answer, value: Any, because: str = "") -> Answer:
    """Return *answer* if it holds exactly *value*, types included: 1 is not true, an empty list no empty map.

    Raises:
        Violation: the call failed or the value differs.
    """
    expect_ok(answer, because)
    if not same(answer.value, value):
        raise Violation(f"{answer.method} answers {shorten(value)}", shorten(answer.value), answer)
    return answer


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal with their types; numbers compare by value (the wire knows doubles only)."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if is_map(left) and is_map(right):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if is_sequence(left) and is_sequence(right):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def shorten(value: Any, limit: int = 200) -> str:
    """Return ``repr(value)``, cut in the middle to about *limit* characters."""
    text = repr(value)
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} … {text[-half:]} ({len(text)} characters)"
