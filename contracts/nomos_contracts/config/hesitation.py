"""Callers that are slow to take their answers: what they get in the end, and what others get meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Final

from nomos_contracts.chaos import Chaos
from nomos_contracts.clause import clause
from nomos_contracts.config.asking import BRIEF, Asked
from nomos_contracts.config.samples import ConfigSamples
from nomos_contracts.contract import Contract
from nomos_contracts.fault import Latency
from nomos_contracts.process.http2 import HesitantCaller, Stream
from nomos_contracts.process.interface import initialised
from nomos_contracts.process.slopes import BLOCKS, SETTLE, HandleSlopes, for_loops
from nomos_contracts.process.traffic import soon
from nomos_contracts.provider import RunningProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, same
from nomos_proto.messages import decode_fetch_response, encode_fetch_request

PATIENT: Final = 10.0
"""Seconds for calls that are to be answered beside those of slow callers."""

STEPS: Final = 25
"""Grants in which an answer is taken, a tenth of a second apart."""

STEP: Final = 0.1

HELD: Final = 8
"""Connections whose callers stop reading, at once: as many as there are mute ones in CFG-CHAOS-007."""


class SlowReaderContract(Contract):
    """Whoever is slow is slow for himself.

    Keep no thread, lock or slot while an answer waits for its reader, and drop the answer when he leaves.
    """

    @clause("CFG-CHAOS-018")
    def test_goes_on_when_answers_come_after_their_deadline(
        self, nomos_chaos: Chaos, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Every byte is late by more than the callers have; others have a better connection."""
        asked = Asked(nomos_samples, nomos_target)
        with nomos_chaos.experiment(asked.probe) as x:
            with x.inject(Latency(ms=int(1500 * BRIEF))) as fault:
                for _ in range(3):
                    late = [x.provider.start_fetch(asked.path, timeout=BRIEF) for _ in range(4)]
                    others = [x.direct.start_fetch(asked.path, timeout=PATIENT) for _ in range(2)]
                    asked.expect_right([call.answer() for call in others], f"{fault.words} for other callers")
                    answers = [call.answer() for call in late]
                    if all(answer.code == "DEADLINE_EXCEEDED" for answer in answers):
                        fault.bit("four callers met their deadlines")
                    asked.expect_no_lie(answers, fault.words)
            asked.recover(x)

    @clause("CFG-CHAOS-018")
    def test_gives_the_whole_answer_to_who_takes_it_little_by_little(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """A few bytes at a time, by the flow control of HTTP/2; others are served meanwhile."""
        asked = Asked(nomos_samples, nomos_target)
        usual = asked.probe(initialised(nomos_fresh))
        if usual.response is None:
            raise Blocked("sample:values", f"no answer that could be taken slowly: Fetch answered {usual.summary}")
        with _connected(nomos_fresh, 1) as (caller,):
            stream = caller.begin(encode_fetch_request(asked.path), STEPS * STEP + 2 * PATIENT)
            if refused := _await_beginning([(caller, stream)]):
                raise Blocked("environment", f"an answer cannot be held up by its caller: {refused}")
            step = (len(usual.response) + 5) // STEPS + 1
            for number in range(STEPS):
                caller.grant(stream, step)
                caller.listen(STEP)
                if number % 10 == 0 and not stream.ended:
                    nomos_fresh.reconnect()
                    others = [nomos_fresh.start_fetch(asked.path, timeout=PATIENT) for _ in range(2)]
                    asked.expect_right([call.answer() for call in others], "another caller's slow reading")
            caller.grant(stream, 65536)
            soon(lambda: _over(caller, stream), PATIENT)
        got = stream.message
        expected = f"{list(asked.path)}, taken {step} bytes at a time, as usual: {usual.summary}"
        if got is None or stream.broken:
            raise Violation(expected, f"{len(stream.data)} bytes; {stream.broken or 'no whole message'}", usual)
        if not same(decode_fetch_response(got), usual.struct):
            raise Violation(expected, f"other {len(got)} bytes", usual)

    @clause("CFG-CHAOS-019")
    def test_is_not_held_up_by_callers_that_stop_reading(
        self, nomos_fresh: RunningProvider, nomos_samples: ConfigSamples, nomos_target: TargetFacts
    ) -> None:
        """Eight at a time let no byte of their answers come, by the flow control of HTTP/2, and then they leave."""
        asked = Asked(nomos_samples, nomos_target)
        asked.probe(initialised(nomos_fresh))
        request = encode_fetch_request(asked.path)
        begun = False

        def block() -> None:
            nonlocal begun
            with _connected(nomos_fresh, HELD) as callers:
                calls = [(caller, caller.begin(request, 6 * PATIENT)) for caller in callers]
                refused = _await_beginning(calls)
                if refused and begun:
                    raise Violation(f"{list(asked.path)} is answered to callers that come after others left", refused)
                if refused:
                    raise Blocked("environment", f"an answer cannot be held up by its caller: {refused}")
                begun = True
                nomos_fresh.reconnect()
                others = [nomos_fresh.start_fetch(asked.path, timeout=PATIENT) for _ in range(4)]
                asked.expect_right([call.answer() for call in others], "the silence of callers that do not read")
                health = nomos_fresh.health(timeout=PATIENT)
                if not health.ok:
                    raise Violation("Health answers while other callers do not read", health.summary, health)
                for caller in callers:
                    caller.listen(BRIEF / HELD)

        handles = HandleSlopes(nomos_fresh, "descriptors", "threads", settle=SETTLE)
        handles.seek(block, for_loops(BLOCKS, HELD), HELD // 2)
        handles.expect_none(f"blocks of {HELD} callers that left")


@contextmanager
def _connected(provider: RunningProvider, count: int) -> Generator[list[HesitantCaller]]:
    with ExitStack() as stack:
        address = provider.announcement.address
        try:
            callers = [stack.enter_context(HesitantCaller(address)) for _ in range(count)]
        except OSError as error:
            raise Blocked("environment", f"no connection of ours to {address}: {error}") from error
        yield callers


def _await_beginning(calls: list[tuple[HesitantCaller, Stream]]) -> str:
    """Wait until the answers have begun, so that they are held up for want of room.

    Returns:
        Why one cannot be held up, as where callers have to show who they are; nothing if all are.
    """

    def begun() -> bool:
        for caller in dict.fromkeys(caller for caller, _ in calls):
            caller.listen(0.005)
        return all(stream.answering for _, stream in calls)

    # Who sends the beginning of an answer together with the rest keeps it back; that is held up as well.
    soon(begun, 2 * BRIEF)
    return next((stream.broken or "it was over at once" for _, stream in calls if stream.ended), "")


def _over(caller: HesitantCaller, stream: Stream) -> bool:
    caller.listen(STEP)
    return stream.ended
