"""Surface: which methods a provider serves, and that nothing that arrives there can harm it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import closed, first_running, initialised, running
from nomos_contracts.process.samples import CallSamples
from nomos_contracts.process.traffic import MADE_UP, TRUNCATED, known_path, missing_path, must_still_serve
from nomos_contracts.provider import Answer, RunningProvider, Start, Starter
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_ok, same
from nomos_proto import wire
from nomos_proto.messages import SERVICE, encode_fetch_request, encode_init_request
from nomos_proto.structs import encode_struct

_UNKNOWN_METHODS = (
    f"/{SERVICE}/NomosNoSuchMethod",
    f"/{SERVICE}/FetchAll",
    "/nomos.provider.v99.ProviderService/Fetch",
    "/nomos.provider.v1.Provider/Fetch",
    "/ProviderService/Fetch",
    "/nomos.nobody.Service/Do",
)
_SEED_CALL = f"/{SERVICE}/Call"
_OVER_LIMIT = 5 * 1024 * 1024
"""Bytes of a segment that makes a request larger than the 4 MiB that gRPC servers take by default."""

_NUMBERS = (4, 5, 9, 10, 15, 16, 100, 2047, 2**29 - 1)
"""Field numbers that no message of version 1 uses: reserved ones, small and large ones, the largest there is."""


def unknown_fields(*more: int) -> list[bytes]:
    """Return fields with numbers that no message knows, and *more*, in each wire type that is not deprecated."""
    made: list[bytes] = []
    for index, number in enumerate((*more, *_NUMBERS)):
        tag = number << 3
        made.append(
            (
                wire.write_varint(tag) + b"\x96\x01",
                wire.field(number, b"from the future"),
                wire.write_varint(tag | wire.FIXED32) + b"\xff\xff\xff\xff",
                wire.write_varint(tag | wire.FIXED64) + b"\1\2\3\4\5\6\7\x08",
                wire.field(number, b""),
            )[index % 5]
        )
    return made


def interleaved(fields: Sequence[bytes], strangers: Sequence[bytes]) -> bytes:
    """Return a message of *fields* with all *strangers* spread before, between and behind them."""
    parts: list[bytes] = []
    places = len(fields) + 1
    for place in range(places):
        parts.extend(strangers[place::places])
        parts.extend(fields[place : place + 1])
    return b"".join(parts)


class MethodsContract(Contract):
    """A provider serves the five methods of version 1, and answers UNIMPLEMENTED for everything that it does not have.

    UNIMPLEMENTED for one of the five mostly means that the service is registered under another package or name.
    """

    @clause("PROC-SURFACE-001")
    def test_all_methods_are_served(self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Each of the five is called as a caller would, Shutdown last."""
        answers = [
            nomos_fresh.health(),
            nomos_fresh.info(),
            nomos_fresh.init(),
            nomos_fresh.fetch(known_path(nomos_samples)),
            nomos_fresh.shutdown(),
        ]
        missing = [answer for answer in answers if answer.code == "UNIMPLEMENTED"]
        if missing:
            names = ", ".join(answer.method for answer in missing)
            raise Violation(f"all five methods of {SERVICE}", f"UNIMPLEMENTED for {names}", *missing)

    @clause("PROC-SURFACE-002")
    def test_unknown_methods_are_unimplemented(
        self,
        nomos_provider: RunningProvider,
        nomos_samples: ConfigSamples,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """Other methods, other versions and other services, each with an empty and with a Fetch's request."""
        before = nomos_provider.fetch(known_path(nomos_samples))
        for method in _UNKNOWN_METHODS:
            for request in (b"", encode_fetch_request(known_path(nomos_samples))):
                answer = nomos_provider.raw(method, request)
                if answer.code != "UNIMPLEMENTED":
                    raise Violation(f"UNIMPLEMENTED for {method}", answer.summary, answer)
        # The first sketch of the protocol had a Call in this service; a provider that has it refuses a call without a
        # function in its own way.
        answer = nomos_provider.raw(_SEED_CALL, b"")
        nomos_observe("Call of version 1", answer.code)
        if answer.code == "OK" or closed(answer):
            raise Violation(f"UNIMPLEMENTED for {_SEED_CALL} without a function", answer.summary, answer)
        must_still_serve(nomos_provider, answer, known_path(nomos_samples), before)

    @clause("PROC-SURFACE-006")
    def test_other_services_are_recorded(
        self, nomos_provider: RunningProvider, nomos_observe: Callable[[str, object], None]
    ) -> None:
        """What else is served is nobody's business; it is written down, and the provider survives the question."""
        health = nomos_provider.raw("/grpc.health.v1.Health/Check", b"", timeout=1.0)
        reflection = nomos_provider.raw("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"", timeout=1.0)
        nomos_observe("grpc.health.v1", health.code != "UNIMPLEMENTED")
        nomos_observe("server reflection", reflection.code != "UNIMPLEMENTED")
        expect_ok(nomos_provider.health(), "after the question for other services")


class UnknownFieldsContract(Contract):
    """A caller of tomorrow sends fields that a provider of today does not know; they change nothing.

    Decoders that Protocol Buffers 3 generates skip such fields; hand-written ones and strict options break here.
    """

    @clause("PROC-SURFACE-003")
    def test_unknown_fields_change_nothing(
        self,
        nomos_start: Start,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
    ) -> None:
        """Every method is asked with and without them, before, between and behind its own fields."""
        first_running(nomos_start)
        provider = initialised(nomos_fresh)
        request = provider.answers[-1].request
        for method in ("Info", "Health"):
            plain = provider.raw(method, b"")
            self._equal(plain, provider.raw(method, b"".join(unknown_fields(1, 2, 3))), only=_stable(method))
        for path in (known_path(nomos_samples), (*known_path(nomos_samples), *MADE_UP), missing_path(nomos_samples)):
            fields = [wire.field(1, wire.to_utf8(segment)) for segment in path]
            self._equal(provider.fetch(path), provider.raw("Fetch", interleaved(fields, unknown_fields(2, 3))))
        message = encode_init_request(request["alias"], request["config"], request["source_file_path"])
        fields = [
            wire.text_field(1, request["alias"]),
            wire.field(2, encode_struct(request["config"]) + b"".join(unknown_fields(2, 3))),
            wire.text_field(3, request["source_file_path"]),
        ]
        strange = interleaved(fields, unknown_fields())
        plain = provider.raw("Init", message)
        self._equal(plain, provider.raw("Init", strange))
        if plain.code != "OK":
            # A provider that takes one Init only has to see the strange one first.
            other = running(nomos_spawn())
            expect_ok(other.raw("Init", strange), "the good Init with unknown fields")
        answer = provider.raw("Shutdown", b"".join(unknown_fields(1, 2, 3)))
        if not answer.ok and not closed(answer):
            plain = running(nomos_spawn(init=True)).shutdown()
            if plain.code == answer.code:
                raise Blocked("clause:PROC-SHUTDOWN-001", f"Shutdown answers {plain.summary}")
            raise Violation(f"Shutdown to answer as without unknown fields: {plain.code}", answer.summary, answer)

    @staticmethod
    def _equal(plain: Answer, strange: Answer, only: str = "") -> None:
        values = (plain.value, strange.value)
        if only and all(isinstance(value, Mapping) for value in values):
            values = (plain.value.get(only), strange.value.get(only))
        if plain.code != strange.code or not same(*values):
            raise Violation(
                f"the answer that came without unknown fields: {plain.summary}", strange.summary, plain, strange
            )


def _stable(method: str) -> str:
    """Return the one key that must be equal in two answers; the message of Health may differ from call to call."""
    return "status" if method == "Health" else ""


class MalformedContract(Contract):
    """Bytes that are no request are an error of the caller's, never the end of the provider.

    Any status code but OK will do, because most frameworks set it before the provider's code is reached.
    """

    _BROKEN = (b"\x0a", b"\x12\x7f", b"\xff" * 12)
    _BROKEN_CONFIG = (b"\x12\x03\x0a\x09x", b"\x12\x05\x0a\x03\x0a\x09x")
    _BROKEN_TEXT = (
        TRUNCATED,
        b"\x0a\xff\xff\xff\xff\x07~",  # 2 GiB that are not there
        b"\x0a" + b"\xff" * 10 + b"\x01",  # a length of eleven bytes
    )
    """protobuf.js cuts a text that is too short instead of refusing it; these are tried where that gives no answer."""
    _BROKEN_CALL = (b"\x0a", b"\xff" * 12, b"\x1a\x7f", b"\x2a\x7f", b"\x1a\x04\x12\x02\x42\x7f")
    """Ends that make no CallRequest, and none of them a text: every library refuses them."""
    _NO_TEXT = (b"\xc3\x28", b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x80\x80\xaf")

    @clause("PROC-SURFACE-004")
    def test_malformed_requests_are_errors(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_samples: ConfigSamples
    ) -> None:
        """Before and after Init, in each method, Call too; the good Init and the answers are as if nothing had been."""
        for data in (*self._BROKEN, *self._BROKEN_CONFIG):
            self._refused(nomos_fresh, nomos_fresh.raw("Init", data), "Init")
        good = nomos_fresh.init()
        if not good.ok:
            running(nomos_spawn(init=True))  # blocked here if the good Init fails on an untouched process too
            raise Violation("the good Init to answer OK after malformed ones", good.summary, good)
        path = known_path(nomos_samples)
        before = nomos_fresh.fetch(path)
        for data in (*self._BROKEN, *self._BROKEN_TEXT):
            answer = nomos_fresh.raw("Fetch", encode_fetch_request(MADE_UP) + data)
            self._refused(nomos_fresh, answer, "Fetch")
            for method in ("Info", "Health"):
                # Nothing in these requests is ever read, so a provider may well not look at them.
                nomos_fresh.raw(method, data)
            must_still_serve(nomos_fresh, answer, path, before)
        for data in self._NO_TEXT:
            answer = nomos_fresh.raw("Fetch", encode_fetch_request(MADE_UP) + wire.field(1, data))
            self._refused(nomos_fresh, answer, "Fetch")
            must_still_serve(nomos_fresh, answer, path, before)
        for data in self._BROKEN_CONFIG:
            answer = nomos_fresh.raw("Init", data)
            self._refused(nomos_fresh, answer, "Init")
            must_still_serve(nomos_fresh, answer, path, before)
        if isinstance(nomos_samples, CallSamples):
            # A Fetch fails here whatever is asked; this Call would do its work.
            call = wire.text_field(1, nomos_samples.interface) + wire.text_field(2, nomos_samples.function)
            for data in self._BROKEN_CALL:
                answer = nomos_fresh.raw("/nomos.provider.v2.ProviderService/Call", call + data)
                self._refused(nomos_fresh, answer, "Call")
                must_still_serve(nomos_fresh, answer, path, before)

    @staticmethod
    def _refused(provider: RunningProvider, answer: Answer, method: str) -> None:
        if answer.code in {"OK", "DEADLINE_EXCEEDED"}:
            raise Violation(f"an error for bytes that are no {method} request", answer.summary, answer)
        if closed(answer) and (ended := provider.wait(0.5)) is not None:
            raise Violation("a provider that survives bytes that are no request", f"the process {ended.words}", answer)

    @clause("PROC-SURFACE-005")
    def test_oversized_request_is_an_error(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """One segment of 5 MiB; a framework that closes the connection over it is as good as one that answers."""
        path = known_path(nomos_samples)
        before = nomos_provider.fetch(path)
        answer = nomos_provider.raw("Fetch", encode_fetch_request(["x" * _OVER_LIMIT]))
        if answer.code in {"OK", "DEADLINE_EXCEEDED"}:
            raise Violation("an error for a request of 5 MiB", answer.summary, answer)
        must_still_serve(nomos_provider, answer, path, before)


class InstanceContract(Contract):
    """One process is one provider under one alias; what the caller calls it is no business of the configuration.

    `alias`, `type` and `version` are words of the caller's own syntax, and the command line removes them before Init.
    """

    _RESERVED: Mapping[str, str] = {"alias": "another-alias", "type": "another/type", "version": "99.98.97"}

    @clause("PROC-SURFACE-007")
    def test_reserved_keys_change_nothing(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_samples: ConfigSamples,
        nomos_observe: Callable[[str, object], None],
    ) -> None:
        """With other values in them the good configuration works as in a process that gets it without them."""
        if isinstance(nomos_samples, CallSamples):
            raise NotApplicable("the keys belong to files of configuration, and nothing is fetched from this provider")
        before = nomos_fresh.info()
        good = {key: value for key, value in nomos_fresh.good_config.items() if key not in self._RESERVED}
        plain = self._without_them(nomos_spawn, good, kept=good == nomos_fresh.good_config)
        answer = nomos_fresh.init({**good, **self._RESERVED})
        refused = answer.code == "INVALID_ARGUMENT"
        if refused:
            # A provider that refuses every key that it does not know may refuse these too.
            unknown = nomos_fresh.init({**good, "nomos_unknown_key": "x"})
            if unknown.ok:
                raise Violation("Init to take no notice of alias, type and version", answer.summary, answer)
            answer = nomos_fresh.init(good)
        nomos_observe("unknown keys", "refused" if refused else "ignored")
        expect_ok(answer, "alias, type and version in the configuration make no difference")
        self._same_provider((before, plain.info()), nomos_fresh.info())
        for sample in nomos_samples.values[:4]:
            usual, fetched = plain.fetch(sample.path), nomos_fresh.fetch(sample.path)
            # Whether the value is the right one is the business of the clauses about values.
            as_usual = fetched.code == usual.code and same(fetched.value, usual.value)
            if not as_usual and not (fetched.ok and same(fetched.value, sample.value)):
                expected = f"the value of {list(sample.path)} as without alias, type and version in the configuration"
                raise Violation(expected, fetched.summary, usual, answer, fetched)

    @staticmethod
    def _without_them(spawn: Starter, good: Mapping[str, Any], *, kept: bool) -> RunningProvider:
        """Return a process that got the good configuration without the reserved keys.

        Args:
            spawn: starts it.
            good: that configuration.
            kept: whether the author's configuration holds none of them.
        """
        plain = running(spawn())
        if kept:
            return initialised(plain)
        answer = plain.init(good)
        if not answer.ok:
            running(spawn(init=True))  # blocked here if the good Init fails with them too
            raise Violation("the good Init to answer OK without alias, type and version", answer.summary, answer)
        return plain

    def _same_provider(self, usual: Sequence[Answer], after: Answer) -> None:
        """See that Info says what it said before Init, or what it says in the process without the keys."""
        if not after.ok or not all(answer.ok for answer in usual):
            return
        for key in ("type", "version"):
            said = [answer.value[key] for answer in usual]
            if after.value[key] not in said:
                raise Violation(f"Info to keep its {key} {said[0]!r}", repr(after.value[key]), *usual, after)
        if after.value["alias"] == self._RESERVED["alias"]:
            raise Violation("the alias of Init in Info", "the alias of the configuration", after)

    @clause("PROC-SURFACE-008")
    def test_one_configuration_answers(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_observe: Callable[[str, object], None]
    ) -> None:
        """Two Inits under two aliases; then every answer belongs to the same one of the two configurations."""
        sample = nomos_samples.other_config
        assert sample is not None  # noqa: S101 # the clause asks for the sample
        provider = initialised(nomos_fresh)
        known = [(path.path, provider.fetch(path.path)) for path in nomos_samples.values[:4]]
        before = provider.fetch(sample.path)
        second = provider.init(sample.config, alias=f"{provider.alias}-second")
        nomos_observe("second Init under another alias", second.code)
        answers = [provider.fetch(sample.path) for _ in range(8)]
        answers += [pending.answer(15.0) for pending in [provider.start_fetch(sample.path) for _ in range(16)]]
        for answer in answers:
            if answer.code != answers[0].code or not same(answer.value, answers[0].value):
                raise Violation(f"one configuration to answer: {answers[0].summary}", answer.summary, second, answer)
        self._from_one(before, sample.value, answers[0], known, provider, accepted=second.ok)
        self._not_by_alias(provider, sample.path, before, sample.value)

    @staticmethod
    def _from_one(
        before: Answer,
        other: Any,
        answer: Answer,
        known: Sequence[tuple[Sequence[str], Answer]],
        provider: RunningProvider,
        *,
        accepted: bool,
    ) -> None:
        first = answer.code == before.code and same(answer.value, before.value)
        if accepted and not first and not (answer.ok and same(answer.value, other)):
            raise Violation("the value of the first or of the second configuration", answer.summary, before, answer)
        if first:
            for path, earlier in known:
                again = provider.fetch(path)
                if again.code != earlier.code or not same(again.value, earlier.value):
                    raise Violation("every path answered from the first configuration", again.summary, earlier, again)

    @staticmethod
    def _not_by_alias(provider: RunningProvider, path: Sequence[str], before: Answer, other: Any) -> None:
        of_first = provider.fetch([provider.alias, *path])
        of_second = provider.fetch([f"{provider.alias}-second", *path])
        if before.ok and same(of_first.value, before.value) and of_second.ok and same(of_second.value, other):
            raise Violation("one configuration for each process", "one for each alias", of_first, of_second)
