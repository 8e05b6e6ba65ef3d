from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nomos_contracts.provider import StartFailure
from pytest_nomos.host.announcement import LINE_LIMIT, Announced, AnnouncementParser, Refused, parse_line, quote

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"PORT=", b"PROVIDER_PORT=", b"UNIX=/", b"5432", b"\n", b"\r\n", b"\0", b"\xff\xfe", b" "]),
        st.binary(min_size=LINE_LIMIT, max_size=LINE_LIMIT + 3),
    ),
    max_size=8,
)


def judged(*pieces: bytes) -> AnnouncementParser:
    parser = AnnouncementParser()
    for piece in pieces:
        parser.feed(piece)
    return parser


@given(PIECES, st.data())
def test_where_the_bytes_are_cut_makes_no_difference(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    at_once, in_parts = judged(whole), judged(*parts)
    assert in_parts.result == at_once.result
    assert in_parts.partial == at_once.partial


@given(PIECES)
def test_no_bytes_make_it_fail_and_only_an_exact_line_is_taken(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    result = judged(*pieces).result
    if b"\n" not in whole and len(whole) <= LINE_LIMIT:
        assert result is None
        return
    assert result is not None
    line = whole.split(b"\n")[0].removesuffix(b"\r")[:LINE_LIMIT]
    assert result.line == line or len(line) == LINE_LIMIT
    if isinstance(result, Announced):
        text = line.decode()
        if result.port is None:
            assert text == f"UNIX={result.path}"
        else:
            assert text.partition("=")[0] in ("PORT", "PROVIDER_PORT")
            assert int(text.partition("=")[2]) == result.port
            assert 1024 <= result.port <= 65535
    else:
        assert result.reason
        quote(result.line).encode()


@given(
    st.integers(1024, 65535), st.sampled_from(["PORT", "PROVIDER_PORT"]), st.sampled_from(["\n", "\r\n"]), st.binary()
)
def test_every_port_in_the_range_is_taken_whatever_follows(port: int, form: str, end: str, rest: bytes) -> None:
    result = judged(f"{form}={port}{end}".encode() + rest).result
    assert result == Announced(f"{form}={port}".encode(), form, port=port)
    assert isinstance(result, Announced)
    assert result.address == f"127.0.0.1:{port}"


def test_a_line_without_its_newline_is_no_line_yet() -> None:
    parser = judged(b"PORT=54", b"32")
    assert parser.result is None
    assert parser.partial == b"PORT=5432"
    parser.feed(b"\n")
    assert isinstance(parser.result, Announced)
    assert parser.partial == b""


def test_a_line_without_an_end_is_given_up_and_not_kept() -> None:
    parser = judged(*[b"x" * 1000] * 5000)
    assert isinstance(parser.result, Refused)
    assert parser.result.failure is StartFailure.MALFORMED
    assert len(parser.result.line) == LINE_LIMIT
    assert "longer than" in parser.result.reason


@pytest.mark.parametrize("port", ["0", "80", "1023", "65536", "99999", "1" * 4000, "00000000000000000000080"])
def test_a_port_outside_the_range_is_its_own_failure(port: str) -> None:
    result = judged(f"PORT={port}\n".encode()).result
    assert isinstance(result, Refused)
    assert result.failure is StartFailure.PORT_RANGE


def test_leading_zeros_do_not_count() -> None:
    assert judged(b"PORT=" + b"0" * 3000 + b"5432\n").result == Announced(
        b"PORT=" + b"0" * 3000 + b"5432", "PORT", port=5432
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (b"", "stdout starts with"),
        (b"PORT=", "decimal digits"),
        (b"PORT=-1", "decimal digits"),
        (b"PORT=abc", "decimal digits"),
        (b"port=5432", "capitals"),
        (b"PORT: 5432", "one '='"),
        (b" PORT=5432", "spaces"),
        (b"PORT=5432 ", "spaces"),
        (b"PORT=5432\t", "spaces"),
        (b"PORT =5432", "of its own"),
        (b"PORT=5432\0", "of its own"),
        (b"listening PORT=5432", "of its own"),
        ("PORT=５４３２".encode(), "decimal digits"),
        (b"PORT=5432\r\r", ""),
        (b'{"level":"info"}', "logs belong on stderr"),
        (b"\xff\xfe\x00", "logs belong on stderr"),
        (b"UNIX=", "not absolute"),
        (b"UNIX=run/x.sock", "not absolute"),
        (b"UNIX=/a\0b", "NUL"),
        (b"UNIX=/" + b"x" * 107, "108 bytes"),
        (b"UNIX=/\xff", "not UTF-8"),
    ],
)
def test_any_other_line_is_refused_with_what_is_wrong(line: bytes, hint: str) -> None:
    result = parse_line(line, 1024, 65535)
    assert isinstance(result, Refused)
    assert result.failure is StartFailure.MALFORMED
    assert hint in result.reason


def test_a_socket_path_may_hold_spaces_and_any_language() -> None:
    result = judged("UNIX=/tmp/my sockets/ключ\r\n".encode()).result
    assert isinstance(result, Announced)
    assert (result.form, result.port, result.address) == ("UNIX", None, "unix:/tmp/my sockets/ключ")


def test_quoting_shows_every_byte_that_no_terminal_shows() -> None:
    assert quote(b"a\0\xff\x1b") == r"'a\x00\xff\x1b'"
    assert quote(b"x" * 500).endswith("(500 bytes)")
