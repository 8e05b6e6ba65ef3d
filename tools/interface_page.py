"""Write what an author in another language needs of a function interface: a page, a JSON Schema, golden vectors.

Usage: ``python tools/interface_page.py [--check]``. All three are made from ``nomos_contracts/<name>/interface.py``:
``docs/wire/<name>.md``, ``contracts/nomos_contracts/<name>/schema.json`` and
``contracts/nomos_contracts/vectors/<name>.json``, of which the example in Go has a copy. With ``--check`` nothing is
written; the exit code is 1 where one of them is not what it would be.
"""

from __future__ import annotations

import base64
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from nomos_contracts.clause import clauses_of
from nomos_contracts.codec import from_wire, to_wire
from nomos_contracts.examples import arguments, example, spoilt
from nomos_contracts.functions import FunctionInterface, Method, function_interface
from nomos_contracts.hints import Hint, choices_of, class_of, fields_of, is_record
from nomos_contracts.jsonform import to_json
from nomos_contracts.schemas import schema_into
from nomos_proto.errors import TABLE
from nomos_proto.v2 import provider_pb2
from nomos_proto.values import to_value

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts" / "nomos_contracts"
INTERFACES = ("compute",)
"""The interfaces that have a form on the wire."""

HEAD = (ROOT / "tools" / "interface_head.md").read_text(encoding="utf-8")

TAIL = (ROOT / "tools" / "interface_tail.md").read_text(encoding="utf-8")


def outputs(name: str) -> dict[Path, str]:
    """Return what the files of an interface hold, by path."""
    interface = function_interface(name)
    return {
        ROOT / "docs" / "wire" / f"{name}.md": page(interface),
        CONTRACTS / name / "schema.json": as_text(schema(interface)),
        CONTRACTS / "vectors" / f"{name}.json": as_text(vectors(interface)),
        ROOT / "examples" / f"{name}-in-go" / "testdata" / f"{name}.json": as_text(vectors(interface)),
    }


def as_text(value: Any) -> str:
    """Return JSON as it is committed."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def schema(interface: FunctionInterface) -> dict[str, Any]:
    """Return the JSON Schema of the arguments and results of all methods."""
    definitions: dict[str, Any] = {}
    methods: dict[str, Any] = {}
    for name, method in interface.methods.items():
        methods[name] = {
            "capability": method.capability,
            "idempotent": method.idempotent,
            "streaming": method.streaming,
            "args": {
                "type": "object",
                "properties": {
                    one.name: schema_into(_present(one.hint), definitions) for one in method.parameters.values()
                },
                "required": list(method.required),
                "additionalProperties": False,
            },
            "result": schema_into(method.returns, definitions),
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:nomos:{interface.name}:{interface.version}",
        "title": f"nomos {interface.name} interface",
        "capabilities": list(interface.capabilities),
        "methods": methods,
        "$defs": dict(sorted(definitions.items())),
    }


def _present(hint: Hint) -> Hint:
    """Return *hint* without None: an absent argument is an absent key."""
    rest = [one for one in choices_of(hint) if one is not type(None)]
    return rest[0] if len(rest) == 1 else hint


def vectors(interface: FunctionInterface) -> dict[str, Any]:
    """Return the golden vectors."""
    requests: list[Any] = []
    answers: list[Any] = []
    refused: list[Any] = []
    seen: set[Any] = set()
    for name, method in interface.methods.items():
        for label, full in (("full", True), ("least", False)):
            args = arguments(method, full=full)
            for key, value in args.items():
                from_wire(method.parameters[key].hint, value, key)
            requests.append({"name": f"{name}-{label}", **request(interface, name, args)})
            result = example(method.returns, full=full)
            to_wire(from_wire(method.returns, result))
            answers.append({"name": f"{name}-{label}", "function": name, **answer(result)})
        if type(None) in choices_of(method.returns) and method.returns is not type(None):
            answers.append({"name": f"{name}-nothing", "function": name, **answer(None)})
        refused += refusals(interface, method, seen)
    errors = [
        {"code": row.code, "status": row.status, "category": row.category, "retryable": row.retryable} for row in TABLE
    ]
    return {
        "interface": interface.name,
        "version": interface.version,
        "requests": requests,
        "answers": answers,
        "refused": refused,
        "errors": errors,
    }


def refusals(interface: FunctionInterface, method: Method, seen: set[Any]) -> Iterator[dict[str, Any]]:
    """Yield requests that a provider refuses; a record that another method had before is made wrong there only."""
    good = arguments(method)

    def wrong(where: str, what: str, args: Mapping[str, Any]) -> dict[str, Any]:
        made = request(interface, method.name, args)
        return {"function": method.name, "where": where, "what": what, "hex": made["hex"]}

    for name in method.required:
        yield wrong(name, "a needed argument is missing", {key: one for key, one in good.items() if key != name})
        yield wrong(name, "null in place of a needed argument", {**good, name: None})
    yield wrong("unknown_argument", "an unknown argument", {**good, "unknown_argument": 1})
    for name, value in good.items():
        for where, what, part in spoilt(method.parameters[name].hint, value, name, seen):
            yield wrong(where, what, {**good, name: part})


def request(interface: FunctionInterface, function: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CallRequest in both forms."""
    message = provider_pb2.CallRequest(interface=interface.name, function=function)
    for key, value in args.items():
        message.args[key].CopyFrom(to_value(value))
    return {"function": function, "args": to_json(args), **encoded(message.SerializeToString(deterministic=True))}


def answer(result: Any) -> dict[str, Any]:
    """Return a CallResponse in both forms."""
    message = provider_pb2.CallResponse(result=to_value(result))
    return {"result": to_json(result), **encoded(message.SerializeToString(deterministic=True))}


def encoded(data: bytes) -> dict[str, str]:
    """Return bytes in both of the forms that vectors have."""
    return {"hex": data.hex(), "base64": base64.b64encode(data).decode()}


def page(interface: FunctionInterface) -> str:
    """Return the page."""
    article = "An" if interface.name[0] in "aeiou" else "A"
    lines = [HEAD.format(title=f"{article} {interface.name}", name=interface.name, version=interface.version)]
    for capability in ("", *interface.capabilities):
        methods = interface.of(capability)
        if capability and not methods:
            continue
        lines += [f"## Methods of the capability `{capability}`" if capability else "## Methods", ""]
        lines += ["| method | arguments | result | what it does |", "|---|---|---|---|"]
        lines += [_method_row(interface, method) for method in methods]
        lines.append("")
    lines += [
        "*idempotent*: a second call with equal arguments has no second effect. An argument with `?` may be absent.",
        "",
        "## Capabilities",
        "",
        f"Declare those that you have: {', '.join(f'`{name}`' for name in interface.capabilities)}.",
        "",
        "## Records",
        "",
    ]
    for kind in kinds(interface):
        lines += _kind(kind)
    lines += ["## Error codes", "", "| code | gRPC status | category | retryable |", "|---|---|---|---|"]
    codes = getattr(import_module(f"nomos_contracts.{interface.name}.interface"), "ERROR_CODES", ())
    lines += [
        f"| `{row.code}` | `{row.status}` | {row.category} | {'yes' if row.retryable else 'no'} |"
        for row in TABLE
        if not codes or row.code in codes
    ]
    clauses = clauses_of((interface.name,))
    if clauses:
        lines += ["", "## Clauses", "", "What is checked; `pytest-nomos clauses ID` says how to mend a failure.", ""]
        lines += [
            f"- `{one.id}` {one.level}: {one.sentence}"
            for one in clauses.values()
            if one.testable and "wire" in one.transports
        ]
    first = next(iter(interface.of("")))
    least = json.dumps({"id": "…"}) if not first.parameters else json.dumps({next(iter(first.parameters)): "…"})
    lines.append(TAIL.format(name=interface.name, first=first.name, arguments=least.encode().decode("unicode-escape")))
    return "\n".join(lines)


def _method_row(interface: FunctionInterface, method: Method) -> str:
    told = [
        f"`{one.name}{'' if one.required else '?'}`: {words(_present(one.hint))}" for one in method.parameters.values()
    ]
    does = sentence(getattr(_home(interface, method.name), "__doc__", "") or "")
    more = " *idempotent*" if method.idempotent else ""
    return f"| `{method.name}` | {'<br>'.join(told) or 'none'} | {words(method.returns)} | {does}{more} |"


def _home(interface: FunctionInterface, name: str) -> Any:
    module = import_module(f"nomos_contracts.{interface.name}.interface")
    for one in vars(module).values():
        if inspect.isclass(one) and getattr(one, "_is_protocol", False) and name in vars(one):
            return vars(one)[name]
    for one in vars(module).values():
        if inspect.isclass(one) and getattr(one, "_is_protocol", False) and hasattr(one, name):
            return getattr(one, name)
    return None


def sentence(text: str) -> str:
    """Return the first paragraph of a docstring as one line of a table."""
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()).replace("|", "\\|")


def words(hint: Hint) -> str:
    """Return a hint in words, with links to records."""
    choices = choices_of(hint)
    rest = [one for one in choices if one is not type(None)]
    if not rest:
        return "nothing"
    told = " or ".join(_words(one) for one in rest)
    return f"{told}, or nothing" if len(rest) < len(choices) else told


def _words(hint: Hint) -> str:
    names = {str: "text", int: "whole number", float: "number", bool: "truth value", bytes: "bytes"}
    if hint in names:
        return names[hint]
    if is_record(hint) or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        name = class_of(hint).__name__
        return f"[{name}](#{name.lower()})"
    args = getattr(hint, "__args__", ())
    if class_of(hint) in {list, tuple} or class_of(hint).__name__ in {"Sequence", "Iterable"}:
        return f"list of {words(args[0])}" if args else "list"
    if class_of(hint) is dict or class_of(hint).__name__ == "Mapping":
        return f"map from text to {words(args[1])}" if args else "map"
    return {"datetime": "point in time", "Any": "any plain value", "object": "any plain value"}.get(
        getattr(hint, "__name__", str(hint)), str(hint)
    )


def kinds(interface: FunctionInterface) -> list[type]:
    """Return the records and words of an interface in the order in which they are met."""
    found: dict[type, None] = {}

    def visit(hint: Hint) -> None:
        for one in choices_of(hint):
            kind = class_of(one)
            if isinstance(kind, type) and (issubclass(kind, StrEnum) or dataclasses.is_dataclass(kind)):
                if kind in found:
                    continue
                found[kind] = None
                for field in fields_of(one).values() if dataclasses.is_dataclass(kind) else ():
                    visit(field.hint)
            for arg in getattr(one, "__args__", ()):
                if arg is not Ellipsis:
                    visit(arg)

    for method in interface.methods.values():
        for parameter in method.parameters.values():
            visit(parameter.hint)
        visit(method.returns)
    return list(found)


def _kind(kind: type) -> list[str]:
    doc = inspect.cleandoc(kind.__doc__ or "")
    text = sentence(doc.partition("\nAttributes:")[0])
    lines = [f"### {kind.__name__}", "", text, ""]
    if issubclass(kind, StrEnum):
        return [*lines, "One of " + ", ".join(f"`{one.value}`" for one in kind) + ".", ""]
    meanings = _meanings(doc)
    lines += ["| field | kind | meaning |", "|---|---|---|"]
    for name, field in fields_of(kind).items():
        needed = field.required and type(None) not in choices_of(field.hint)
        lines.append(f"| `{name}{'' if needed else '?'}` | {words(_present(field.hint))} | {meanings.get(name, '')} |")
    return [*lines, ""]


def _meanings(doc: str) -> dict[str, str]:
    """Return what the Attributes section of a docstring says, by field."""
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("\nAttributes:")[2].splitlines():
        head = re.match(r" {4}(\w+): (.*)", line)
        if head:
            name = head[1]
            found[name] = head[2]
        elif name and line.startswith("        "):
            found[name] += f" {line.strip()}"
    return {key: text.replace("|", "\\|") for key, text in found.items()}


def main() -> int:
    """Write the files, or compare them; return the exit code."""
    stale = [
        path
        for name in INTERFACES
        for path, text in outputs(name).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what `python tools/interface_page.py` writes")
        return 1 if stale else 0
    for name in INTERFACES:
        for path, text in outputs(name).items():
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
