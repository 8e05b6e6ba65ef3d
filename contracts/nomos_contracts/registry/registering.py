"""Registering: what is taken, what is refused, and that a refusal leaves nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    SECOND,
    Factory,
    Product,
    Subject,
    add_packages,
    done,
    flat,
    info,
    made_by,
    names,
    product,
    refused,
    registry_of,
    same_names,
)
from nomos_contracts.registry.interface import ProviderInfo, Registry
from nomos_contracts.violation import Violation, shorten

NAMES: Final = (
    *("alpha", "beta", "Alpha", "Mixed.Case_9+x-y", "mixed.case_9+x-y", "0", "007", "9.9.9", "Z"),
    *(".hidden", "_private", "__dunder__", "-dashed", "+plus", "trailing.", "under_", "dash-", "plus+"),
    *("a..b", "none", "None", "all", "x" * 64),
)
"""Names that may be given, each once."""

MANY: Final = 300
"""How many providers come to a package that has some."""


class _Maker:
    """A provider class, a factory by being called, and one by its methods."""

    def __init__(self, ctx: Any, config: Any) -> None:
        self.name = config.provider_name

    def make(self, ctx: Any, config: Any) -> Product:
        """Make a product."""
        return Product(f"{self.name}{config.provider_name}")


class _Callable:
    def __call__(self, ctx: Any, config: Any) -> Product:
        return Product("called")


def _function(ctx: Any, config: Any) -> Product:
    return Product("function")


def _none() -> None:
    return None


def _one(ctx: Any) -> Any:
    return ctx


def _wants_more(ctx: Any, config: Any, *, more: str) -> Product:
    return Product(more)


class _OneArgument:
    """A class that is made from one thing, and takes one when it is called."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def __call__(self, config: Any) -> Product:
        return Product("one")

    def make(self, config: Any) -> Product:
        """Make a product."""
        return Product("one")


def _three(more: str, ctx: Any, config: Any) -> Product:
    return Product(more)


def _options(ctx: Any, config: Any, more: str = "", *, flag: bool = False) -> Product:
    return Product("options")


def _anything(*args: Any, **kwargs: Any) -> Product:
    return Product(f"{len(args)}")


class RegisteringContract(Contract):
    """A registration is whole or is not.

    Check name, factory and info before anything is kept, look for the name and keep the new one in one step, and take
    back what a store has half done.
    """

    @clause("REG-ADD-001")
    def test_lists_and_creates_at_once(self, nomos_fresh: Subject) -> None:
        """On the line after the registration, whatever letter, digit or sign its name begins and ends with."""
        registry = registry_of(nomos_fresh)
        registered: list[str] = []
        for name in NAMES:
            factory = Factory(name)
            done(registry.register_provider, FIRST, name, factory)
            registered.append(name)
            if name not in names(registry, FIRST):
                raise Violation(f"{name} is listed", "it is not")
            made_by(factory, registry, FIRST, name)
        same_names(registry, FIRST, *registered)

    @clause("REG-ADD-002")
    def test_refuses_a_second_one_of_a_name(self, nomos_fresh: Subject) -> None:
        """The first one stays, with its factory and its info."""
        registry = registry_of(nomos_fresh)
        first = Factory("first")
        done(registry.register_provider, FIRST, "alpha", first, info=ProviderInfo("alpha", "first"))
        second = ProviderInfo("alpha", "second")
        refused("ErrProviderExists", registry.register_provider, FIRST, "alpha", Factory("second"), info=second)
        refused("ErrProviderExists", registry.register_provider, FIRST, "alpha", first)
        same_names(registry, FIRST, "alpha")
        made_by(first, registry, FIRST, "alpha")
        if info(registry, FIRST, "alpha").type != "first":
            raise Violation("the info of the first registration", "that of the second")

    @clause("REG-ADD-003")
    def test_refuses_what_is_no_factory(self, nomos_fresh: Subject) -> None:
        """None, a number, a text, and callables that take other arguments."""
        registry = registry_of(nomos_fresh)
        strangers: list[Any] = [
            *(None, 5, "alpha", object(), _none, _one, _three),
            _wants_more,
            functools.partial(_function, None),
            functools.partial(_three, "a", "b"),
            lambda: Product("lambda"),
            _OneArgument,
            _OneArgument(None),
            _OneArgument(None).make,
        ]
        for stranger in strangers:
            refused("ErrInvalidFactory", registry.register_provider, FIRST, "alpha", stranger)
            same_names(registry, FIRST)

    @clause("REG-ADD-004")
    def test_takes_every_kind_of_callable(self, nomos_fresh: Subject) -> None:
        """A function, a class, a lambda, a partial, a method, an object that can be called, one with options."""
        registry = registry_of(nomos_fresh)
        config = type("Config", (), {"provider_name": "maker"})
        kinds: dict[str, Callable[..., Any]] = {
            "function": _function,
            "class": _Maker,
            "lambda": lambda *given: Product(f"{len(given)}"),  # pyright: ignore[reportUnknownLambdaType] # a lambda
            "partial": functools.partial(_three, "partial"),
            "method": _Maker(None, config).make,
            "object": _Callable(),
            "options": _options,
            "anything": _anything,
        }
        for name, factory in kinds.items():
            done(registry.register_provider, FIRST, name, factory)
            if done(registry.create_provider, FIRST, name, flat(name)) is None:
                raise Violation(f"the {name} makes a provider", "None")

    @clause("REG-ADD-005")
    def test_refuses_a_name_that_no_target_could_have(self, nomos_fresh: Subject) -> None:
        """Empty, with a slash, with a space, too long, no text."""
        registry = registry_of(nomos_fresh)
        wrong: list[Any] = ["", " ", "a/b", "a b", "ä", "a\n", "x" * 65, None, 5]
        for name in wrong:
            refused("ErrRegistrationFailed", registry.register_provider, FIRST, name, Factory())
            refused("ErrRegistrationFailed", registry.add_package, name)
        same_names(registry, FIRST)

    @clause("REG-ADD-006")
    def test_refuses_an_info_that_cannot_be_true(self, nomos_fresh: Subject) -> None:
        """One of another provider, and one whose schema is no JSON Schema."""
        registry = registry_of(nomos_fresh)
        for wrong in (ProviderInfo("beta", "kind"), ProviderInfo("alpha", "kind", config_schema={"type": "number?"})):
            refused("ErrRegistrationFailed", registry.register_provider, FIRST, "alpha", Factory(), info=wrong)
            same_names(registry, FIRST)

    @clause("REG-ADD-007")
    def test_leaves_nothing_of_a_refused_registration(self, nomos_fresh: Subject) -> None:
        """The name is free afterwards, and gets the factory of the next registration."""
        registry = registry_of(nomos_fresh)
        nothing: Any = None
        refused("ErrInvalidFactory", registry.register_provider, FIRST, "alpha", nothing)
        other = ProviderInfo("other", "kind")
        refused("ErrRegistrationFailed", registry.register_provider, FIRST, "alpha", Factory("wrong"), info=other)
        same_names(registry, FIRST)
        refused("ErrProviderNotFound", registry.get_provider_info, FIRST, "alpha")
        refused("ErrProviderNotFound", registry.create_provider, FIRST, "alpha", flat("alpha"))
        factory = Factory("right")
        done(registry.register_provider, FIRST, "alpha", factory)
        made_by(factory, registry, FIRST, "alpha")

    @clause("REG-ADD-008")
    def test_changes_nothing_that_was_there(self, nomos_fresh: Subject) -> None:
        """Lists, infos and products before and after hundreds more, some of them refused, and more packages."""
        registry = registry_of(nomos_fresh)
        factories = {(package, name): Factory(f"{package}-{name}") for package in (FIRST, SECOND) for name in "abc"}
        for (package, name), factory in factories.items():
            done(registry.register_provider, package, name, factory, info=ProviderInfo(name, f"type-{name}"))
        before = _seen(registry, list(factories))
        more = [f"more-{number}" for number in range(MANY)]
        for number, name in enumerate(more):
            done(registry.register_provider, FIRST, name, Factory())
            if number % 8 == 0:
                done(registry.add_package, name)
                done(registry.register_provider, name, "one", Factory())
        refused("ErrProviderExists", registry.register_provider, FIRST, "a", Factory())
        after = _seen(registry, list(factories))
        if after != before:
            changed = [key for key in before if before[key] != after.get(key)]
            raise Violation("what was there is as before", f"{changed} differ: {shorten(after)}")
        same_names(registry, FIRST, *"abc", *more)
        packages = done(registry.list_packages)
        gone = {FIRST, SECOND, *more[::8]} - set(packages)
        if gone:
            raise Violation("every package that was added is still there", f"without {shorten(sorted(gone))}")


def _seen(registry: Registry, keys: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Return what can be seen of providers: place in the list, info, product."""
    listed = {package: names(registry, package) for package in (FIRST, SECOND)}
    return {
        (package, name): (
            listed[package].count(name),
            info(registry, package, name),
            product(registry, package, name).hello(),
        )
        for package, name in keys
    }


class UnregisteringContract(Contract):
    """A provider that is unregistered is gone, and nothing else is.

    Remove the one registration in one step; what it has made is not the registry's any more.
    """

    @clause("REG-DROP-001")
    def test_forgets_the_provider_alone(self, nomos_fresh: Subject) -> None:
        """It is in no list, has no info and makes nothing; those of like names do, also in packages of like names."""
        registry = registry_of(nomos_fresh)
        like = [f"{FIRST}.sub", f"{FIRST}s", f"sub.{FIRST}", FIRST[:-1], FIRST.upper()]
        add_packages(registry, like)
        others = {
            (package, name): Factory(f"{package}-{name}")
            for package in (FIRST, SECOND, *like)
            for name in ("alpha", "alphabet", "alph", "alpha.x", "x.alpha")
        }
        for (package, name), factory in others.items():
            done(registry.register_provider, package, name, factory)
        made = product(registry, FIRST, "alpha")
        del others[FIRST, "alpha"]
        done(registry.unregister_provider, FIRST, "alpha")
        for package in (FIRST, SECOND, *like):
            same_names(registry, package, *(name for owner, name in others if owner == package))
        for package, name in others:
            info(registry, package, name)
            product(registry, package, name)
        refused("ErrProviderNotFound", registry.get_provider_info, FIRST, "alpha")
        refused("ErrProviderNotFound", registry.create_provider, FIRST, "alpha", flat("alpha"))
        if made.hello() != f"{FIRST}-alpha":
            raise Violation("what was made before lives on", shorten(made.hello()))

    @clause("REG-DROP-002")
    def test_refuses_to_forget_what_is_not_there(self, nomos_fresh: Subject) -> None:
        """Never registered, and unregistered before."""
        registry = registry_of(nomos_fresh)
        refused("ErrProviderNotFound", registry.unregister_provider, FIRST, "alpha")
        done(registry.register_provider, FIRST, "alpha", Factory())
        done(registry.unregister_provider, FIRST, "alpha")
        refused("ErrProviderNotFound", registry.unregister_provider, FIRST, "alpha")

    @clause("REG-DROP-003")
    def test_frees_the_name(self, nomos_fresh: Subject) -> None:
        """Others take it in turn, after each was described and created; what each takes, the one before refuses."""
        registry = registry_of(nomos_fresh)
        for turn, (kind, value) in enumerate((("string", "x"), ("integer", 5), ("", [1]), ("string", "y"))):
            factory = Factory(f"turn-{turn}")
            schema = {"properties": {"model": {"type": kind}}, "required": ["model"]} if kind else {}
            said = ProviderInfo("alpha", f"type-{turn}", config_schema=schema, documentation=f"turn {turn}")
            done(registry.register_provider, FIRST, "alpha", factory, info=said if kind else None)
            same_names(registry, FIRST, "alpha")
            found = info(registry, FIRST, "alpha")
            if kind and found != said:
                raise Violation(f"the info of the registration of turn {turn}", shorten(found))
            made = product(registry, FIRST, "alpha", flat("alpha", model=value))
            if made.hello() != factory.mark:
                raise Violation(f"a product of {factory.mark}", made.hello())
            done(registry.unregister_provider, FIRST, "alpha")
