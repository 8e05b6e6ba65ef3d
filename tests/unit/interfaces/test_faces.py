"""One class of tests for both faces: what a check sees does not depend on the transport."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nomos_contracts.codec import ShapeError
from nomos_contracts.provider import InterfaceProvider
from parcels import PARCEL, WHEN, Parcel, Size


class TestBothFaces:
    def test_a_value_comes_back_as_the_interface_has_it(self, face: InterfaceProvider) -> None:
        answer = face.invoke("send", parcel=PARCEL)
        assert (answer.code, answer.decode_error) == ("OK", "")
        assert answer.value == PARCEL
        assert type(answer.value) is Parcel, "a richer type of the provider is projected to the interface's"
        assert answer.method == "send"
        assert answer.request == {
            "args": {
                "parcel": {
                    "id": "p-1",
                    "size": "large",
                    "weight": 2.5,
                    "label": {"to": "Zürich", "lines": ["a", "b"], "notes": {"k": "v"}},
                    "sent": WHEN,
                    "seal": b"\x00\xff",
                }
            }
        }
        assert face.invoke("find", id="p-1").value == PARCEL

    def test_nothing_is_told_from_something(self, face: InterfaceProvider) -> None:
        answer = face.invoke("find", id="nobody")
        assert answer.ok
        assert answer.value is None

    def test_synchronous_methods_are_called_alike(self, face: InterfaceProvider) -> None:
        face.invoke("send", parcel=PARCEL)
        assert face.invoke("count").value == 1

    def test_a_typed_error_keeps_all_that_it_says(self, face: InterfaceProvider) -> None:
        answer = face.invoke("fail", code="CAPACITY_ERROR")
        assert answer.code == "RESOURCE_EXHAUSTED"
        assert answer.message == "the shelves are full"
        assert answer.value is None
        assert answer.details == {
            "code": "CAPACITY_ERROR",
            "category": "capacity",
            "retryable": True,
            "provider": "office",
            "details": {"shelf": 7},
            "retry_after": 1.5,
        }

    def test_an_error_of_an_unknown_code_keeps_it(self, face: InterfaceProvider) -> None:
        answer = face.invoke("fail", code="SHELF_ERROR")
        assert (answer.code, answer.details["code"], answer.details["category"]) == (
            "INTERNAL",
            "SHELF_ERROR",
            "internal",
        )

    def test_an_error_that_says_little_has_the_same_keys(self, face: InterfaceProvider) -> None:
        answer = face.invoke("insure", id="p-1")
        assert answer.details == {
            "code": "UNSUPPORTED_OPERATION",
            "category": "validation",
            "retryable": False,
            "provider": "office" if face.transport == "wire" else "",  # a program names itself
            "details": {},
            "retry_after": None,
        }

    def test_an_exception_that_is_no_provider_error_is_named_and_its_text_is_not_shown(
        self, face: InterfaceProvider
    ) -> None:
        answer = face.invoke("crash")
        assert answer.code == "UNKNOWN"
        assert answer.details == {"exception": "builtins.LookupError"}
        assert "LookupError" in answer.message
        assert "secret" not in answer.message

    @pytest.mark.parametrize("method", ["hang", "linger"])
    def test_a_method_that_hangs_costs_its_deadline_only(self, face: InterfaceProvider, method: str) -> None:
        answer = face.invoke(method, timeout=0.2, seconds=3.0)
        assert (answer.code, answer.details["code"]) == ("DEADLINE_EXCEEDED", "TIMEOUT_ERROR")
        assert answer.elapsed < 3.0
        assert face.invoke("count").value == 0, "the others are still served"

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("missing", "size"),
            ("unknown", "colour"),
            ("other", "a map with the fields of Parcel"),
            ("nothing", "a map with the fields of Parcel"),
            ("nan", "weight"),
        ],
    )
    def test_a_result_of_another_shape_is_told_with_its_place(
        self, face: InterfaceProvider, kind: str, words: str
    ) -> None:
        answer = face.invoke("misshapen", kind=kind)
        assert not answer.ok
        assert (answer.code, answer.details) == ("OK", {})
        assert words in answer.decode_error

    def test_a_result_that_cannot_be_sent_is_the_providers_failure(self, face: InterfaceProvider) -> None:
        answer = face.invoke("misshapen", kind="object")
        assert (answer.code, answer.details["code"]) == ("INTERNAL", "PROVIDER_INTERNAL")
        assert "cannot be sent" in answer.message

    def test_a_map_of_the_right_shape_is_taken_for_the_record(self, face: InterfaceProvider) -> None:
        assert face.invoke("misshapen", kind="map").value == Parcel("1", Size.SMALL, 1.0)

    def test_a_method_that_nobody_has_is_refused_by_name(self, face: InterfaceProvider) -> None:
        answer = face.invoke("burn", id="p-1")
        assert (answer.code, answer.details["code"]) == ("UNIMPLEMENTED", "UNSUPPORTED_OPERATION")
        assert "burn" in answer.message

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({}, "missing required argument: parcel"),
            ({"parcel": PARCEL, "colour": "red"}, "unknown argument: colour"),
            ({"parcel": {"id": "1"}}, "parcel.size"),
            ({"parcel": PARCEL, "express": "yes"}, "express: must be a bool"),
        ],
    )
    def test_wrong_arguments_never_reach_the_provider(
        self, face: InterfaceProvider, arguments: dict[str, object], words: str
    ) -> None:
        answer = face.invoke("send", **arguments)
        assert (answer.code, answer.details["code"]) == ("INVALID_ARGUMENT", "INVALID_SPEC")
        assert words in answer.message
        assert face.invoke("count").value == 0

    def test_what_cannot_be_sent_is_a_mistake_of_the_caller(self, face: InterfaceProvider) -> None:
        with pytest.raises(ShapeError, match=r"parcel.*cannot be sent"):
            face.invoke("send", parcel=object())

    def test_an_optional_argument_may_be_none(self, face: InterfaceProvider) -> None:
        assert face.invoke("send", parcel=PARCEL, express=None).ok

    def test_capabilities_and_methods_are_told(self, face: InterfaceProvider) -> None:
        assert face.interface == "parcels"
        assert face.name == "office"
        assert face.capabilities == {"returns"}
        offered = {name for name in (*face_methods(), "burn", "capabilities") if face.offers(name)}
        assert offered == set(face_methods()) - {"insure"}

    def test_streams_are_collected(self, face: InterfaceProvider) -> None:
        face.invoke("send", parcel=PARCEL)
        face.invoke("send", parcel=Parcel("p-2", Size.SMALL, 1))
        expected = (PARCEL, Parcel("p-2", Size.SMALL, 1.0))
        assert face.invoke("each").value == expected
        assert face.invoke("each_in_time").value == expected

    def test_a_stream_that_fails_is_a_failed_call(self, face: InterfaceProvider) -> None:
        assert face.invoke("each").value == ()
        answer = face.invoke("each_in_time")
        assert (answer.code, answer.details["code"]) == ("NOT_FOUND", "NOT_FOUND")

    def test_calls_in_flight_are_awaited_one_by_one(self, face: InterfaceProvider) -> None:
        pending = [face.start("send", parcel=Parcel(str(at), Size.SMALL, 1.0)) for at in range(20)]
        assert {one.answer(10).value.id for one in pending} == {str(at) for at in range(20)}
        assert all(one.done() for one in pending)
        assert face.invoke("count").value == 20

    def test_a_call_in_flight_can_be_cancelled(self, face: InterfaceProvider) -> None:
        pending = face.start("linger", seconds=15.0)
        with pytest.raises(TimeoutError):
            pending.answer(0.05)
        assert not pending.done()
        pending.cancel()
        assert pending.answer(5).code == "CANCELLED"

    def test_many_threads_may_call_at_once(self, face: InterfaceProvider) -> None:
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda at: face.invoke("find", id=str(at)), range(64)))
        assert all(answer.ok for answer in answers)

    def test_the_latest_exchanges_are_kept(self, face: InterfaceProvider) -> None:
        for _ in range(70):
            face.invoke("count")
        assert len(face.answers) == 64

    def test_a_closed_face_answers_and_does_not_raise(self, face: InterfaceProvider) -> None:
        face.close()
        assert face.invoke("find", id="p-1").code == "UNAVAILABLE"


def face_methods() -> tuple[str, ...]:
    from parcels import INTERFACE

    return tuple(INTERFACE.methods)
