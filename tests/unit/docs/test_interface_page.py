"""What authors in other languages get of a function interface: made from it, up to date, and true."""

from __future__ import annotations

import importlib.util
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from nomos_contracts.codec import ShapeError, from_wire, to_wire
from nomos_contracts.functions import function_interface
from nomos_contracts.jsonform import from_json, to_json
from nomos_contracts.vectors import INTERFACE_NAMES, vectors
from nomos_proto.errors import ProviderError
from nomos_proto.v2 import provider_pb2 as v2
from nomos_proto.values import from_args, from_value

ROOT = Path(__file__).resolve().parents[3]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interface_page", ROOT / "tools" / "interface_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", INTERFACE_NAMES)
def test_the_committed_files_are_what_the_interface_gives(name: str) -> None:
    for path, text in tool().outputs(name).items():
        assert path.read_text(encoding="utf-8") == text, f"run `python tools/interface_page.py`: {path.name} is stale"


def test_every_interface_with_a_wire_form_has_them() -> None:
    assert tool().INTERFACES == INTERFACE_NAMES


@pytest.mark.parametrize("name", INTERFACE_NAMES)
class TestVectors:
    def test_every_request_can_be_bound(self, name: str) -> None:
        interface = function_interface(name)
        for case in vectors(name)["requests"]:
            request = v2.CallRequest.FromString(bytes.fromhex(case["hex"]))
            assert (request.interface, request.function) == (name, case["function"])
            plain = from_args(request.args)
            method = interface.methods[request.function]
            assert method.plain(method.bind(plain)).keys() == plain.keys()
            assert method.from_json(case["args"]) == plain

    def test_every_answer_is_a_value_of_its_method(self, name: str) -> None:
        interface = function_interface(name)
        for case in vectors(name)["answers"]:
            returns = interface.methods[case["function"]].returns
            plain = from_value(v2.CallResponse.FromString(bytes.fromhex(case["hex"])).result)
            assert to_wire(from_wire(returns, plain), returns) == plain or "least" in case["name"]
            assert from_json(returns, case["result"]) == plain

    def test_every_method_has_both(self, name: str) -> None:
        methods = set(function_interface(name).methods)
        assert {case["function"] for case in vectors(name)["requests"]} == methods
        assert {case["function"] for case in vectors(name)["answers"]} == methods

    def test_what_must_be_refused_is_refused_at_its_place(self, name: str) -> None:
        interface = function_interface(name)
        assert len(vectors(name)["refused"]) > 100
        for case in vectors(name)["refused"]:
            request = v2.CallRequest.FromString(bytes.fromhex(case["hex"]))
            with pytest.raises(ProviderError) as caught:
                interface.methods[request.function].bind(from_args(request.args))
            assert caught.value.status == "INVALID_ARGUMENT"
            assert case["where"] in caught.value.message, case

    def test_the_schema_takes_the_requests_and_answers(self, name: str) -> None:
        schema: Any = json.loads((ROOT / "contracts" / "nomos_contracts" / name / "schema.json").read_text())

        def check(part: Any, value: Any) -> None:
            jsonschema.Draft202012Validator({**part, "$defs": schema["$defs"]}).validate(value)

        for case in vectors(name)["requests"]:
            check(schema["methods"][case["function"]]["args"], case["args"])
        for case in vectors(name)["answers"]:
            check(schema["methods"][case["function"]]["result"], case["result"])

    def test_every_link_of_the_page_leads_somewhere(self, name: str) -> None:
        page = (ROOT / "docs" / "wire" / f"{name}.md").read_text(encoding="utf-8")
        headings = {line.removeprefix("### ").lower() for line in page.splitlines() if line.startswith("### ")}
        assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
        for link in re.findall(r"\]\(([^#)]+)\)", page):
            assert (ROOT / "docs" / "wire" / link).exists(), link


class TestJson:
    def test_bytes_and_times_are_texts(self) -> None:
        when = datetime(2026, 12, 1, 12, 30, 15, 250000, tzinfo=UTC)
        shown = {"raw": "AP8=", "when": ["2026-12-01T12:30:15.250000Z"]}
        assert to_json({"raw": b"\x00\xff", "when": [when]}) == shown
        assert from_json(bytes, "AP8=") == b"\x00\xff"
        assert from_json(list[datetime], shown["when"]) == [when]
        assert from_json(str, "AP8=") == "AP8="

    @pytest.mark.parametrize(
        ("hint", "text"), [(bytes, "nö"), (bytes, "A"), (datetime, "soon"), (datetime, "2026-12-01")]
    )
    def test_a_text_that_is_neither_is_refused(self, hint: Any, text: str) -> None:
        with pytest.raises(ShapeError) as caught:
            from_json(hint, text, "here")
        assert caught.value.where == "here"
