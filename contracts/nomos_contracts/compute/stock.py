"""The stock: instances that differ in what filters look at, and what a filter has to show of them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nomos_contracts.compute.fleet import ENDED, SPAWN, Fleet, shaped, told
from nomos_contracts.compute.interface import InstanceStatus, ListFilter, ProviderInstance
from nomos_contracts.inherited import INHERITED
from nomos_contracts.violation import Blocked, Violation, shorten

Tags = Mapping[str, str]

SEPARATORS = ",=:;/ "
"""What tags may be joined with where they are kept as one text."""

ODD = ("odd", "many", "large", "blank")
"""The names of instances whose tags are hard to keep; a vendor may refuse each of them."""

MANY, LONG = 60, 300
"""So many tags, and a value of so many letters, are more than many a vendor keeps."""

LENGTHS = (63, 64, 127, 128, 255, 256)
"""Lengths to which values are cut."""

ROUNDS = 4
"""How often several lists are asked for at once."""


@dataclass(frozen=True)
class Stock:
    """Instances that differ in what filters look at, all running but those that were ended since.

    Attributes:
        fleet: to which they belong.
        made: each by its name, as list said it to be.
        tags: of each, by its name.
        ended: ids of those that were ended.
    """

    fleet: Fleet
    made: Mapping[str, ProviderInstance]
    tags: Mapping[str, Tags]
    ended: set[str] = field(default_factory=set[str])

    def ids(self, fits: Callable[[ProviderInstance, Tags], bool]) -> set[str]:
        """Return the ids of those for which *fits* holds."""
        return {one.id for name, one in self.made.items() if fits(one, self.tags[name])}

    def names(self, ids: Iterable[str]) -> list[str]:
        """Return the names of those with *ids*, in order; an id that is none of theirs stands for itself."""
        known = {one.id: name for name, one in self.made.items()}
        return sorted(known.get(one, one) for one in ids)

    def end(self, name: str) -> None:
        """End one of them."""
        self.fleet.end(self.made[name].id)
        self.ended.add(self.made[name].id)


def stock_of(fleet: Fleet) -> Stock:
    """Return a stock: two specs where there are, and tags that are nearly, but not, each other's.

    All are spawned at once: what one caller wishes is not what another one gets.

    Raises:
        Blocked: it cannot be spawned.
    """
    mark = fleet.mark
    other = fleet.samples.other_spec or fleet.samples.spec
    tags: dict[str, Tags] = {
        "plain": {"role": mark, "tier": "a"},
        "longer": {"role": mark + "x", "tier": "a"},
        "shorter": {"role": mark[:-1], "tier": "a"},
        "prefixed": {"role": "x" + mark, mark: "role "},
        "upper": {"role": mark.upper(), "rôle": "É"},
        "other key": {"role2": mark, "tier": "b"},
        "swapped": {mark: "role"},
        "both": {"role": mark, "tier": "b", "owner": "", "team": "blue", "zone": "7", "cost": "low"},
    }
    wished = {
        name: fleet.options(tags=own, spec=other if name in {"both", "longer"} else fleet.samples.spec)
        for name, own in tags.items()
    }
    made = dict(zip(wished, fleet.spawn_all(wished.values()), strict=True))
    fleet.run_all(made.values())
    fleet.visible(made.values())
    seen = {one.id: one for one in fleet.shown()}
    # What list itself says of them: whether spec and region are those that were asked for is another clause's matter.
    return Stock(fleet, {name: seen[one.id] for name, one in made.items()}, tags)


def _odd(mark: str) -> Iterator[Tags]:
    """Yield tags that are hard to keep, in the order of `ODD`."""
    yield {
        "long": mark + "v" * 90,
        "Kind/of.a_thing": f"a/b.c_d {mark}",
        "cafe\u0301": "e\u0301",
        **dict.fromkeys(INHERITED, mark),
        "number": "007",
        "pair": "a=1,b:2",
    }
    yield {f"{mark}-{number:02}": f"{number:03}" for number in range(MANY)}
    yield {"note": mark + "v" * LONG}
    yield {"": mark}


def odd_stock(fleet: Fleet) -> Stock:
    """Return a stock of one with a plain tag and one for each of `ODD`, without those that are refused.

    Raises:
        Blocked: it cannot be spawned.
    """
    tags: dict[str, Tags] = {"plain": {"role": fleet.mark}, **dict(zip(ODD, _odd(fleet.mark), strict=True))}
    answers = {name: shaped(fleet.try_spawn(tags=own)) for name, own in tags.items()}
    if not answers["plain"].ok:
        raise Blocked(SPAWN, f"spawn gave no instance: {told(answers['plain'])}")
    taken = {name: answer.value for name, answer in answers.items() if answer.ok}
    fleet.run_all(taken.values())
    fleet.visible(taken.values())
    seen = {one.id: one for one in fleet.shown()}
    return Stock(fleet, {name: seen[one.id] for name, one in taken.items()}, {name: tags[name] for name in taken})


def one_wrong(tags: Tags) -> Iterator[Tags]:
    """Yield *tags*, and then *tags* with each of them in turn in a form that is nearly, but not, the right one.

    Of many tags the last ones are enough: those that get lost.
    """
    yield tags
    for key, value in list(tags.items())[-1 if len(tags) == MANY else 0 :]:
        rest = {name: one for name, one in tags.items() if name != key}
        cut = (value.partition(sign)[0] for sign in SEPARATORS if sign in value)
        lengths = (value[:length] for length in LENGTHS)
        nearly = (value + "x", value[:-1], *lengths, *_writings(value), value.lstrip("0"), *cut)
        yield from ({**rest, key: one} for one in dict.fromkeys(nearly) if one != value)
        yield from ({**rest, one: value} for one in dict.fromkeys(_writings(key)) if one != key and one not in rest)


def _writings(text: str) -> Iterator[str]:
    yield from (text.swapcase(), unicodedata.normalize("NFC", text))
    yield from (text.replace(left, right) for left, right in ("/-", "._", "_-", " +", ",;"))


def expect_exactly(stock: Stock, wanted: ListFilter, ids: set[str]) -> None:
    """Say that of the stock a filter shows exactly *ids*, and what was ended or not where that may be shown.

    Raises:
        Violation: it shows others, within the limit.
    """
    fleet = stock.fleet
    free = stock.ended & ids if wanted.include_terminated else set[str]()

    def fits() -> bool:
        seen = _of(fleet, wanted)
        return set(seen) | free == ids and len(set(seen)) == len(seen)

    if not fleet.poll(fleet.settle, fits):
        answer = fleet.list_answer(wanted)
        seen = _of(fleet, wanted)
        raise Violation(
            f"list with {in_words(wanted)} shows exactly {stock.names(ids)}, each once",
            f"{stock.names(seen)}" if answer.code == "OK" else told(answer),
            answer,
        )


def expect_each_its_own(stock: Stock, filters: Sequence[ListFilter]) -> None:
    """Say that lists with several filters at once answer each what it answers alone.

    Raises:
        Violation: one of them answers something else, and alone the right thing.
    """
    fleet = stock.fleet
    for _ in range(ROUNDS):
        pending = [fleet.provider.start("list", filter=one) for one in filters]
        for wanted, answer in zip(filters, [shaped(one.answer()) for one in pending], strict=True):
            if not answer.ok:
                raise Violation(f"list with {in_words(wanted)} answers while others do", told(answer), answer)
            ids = matching(stock, wanted)
            # What the vendor itself shows late or in between is wrong alone, too.
            seen = {one.id for one in answer.value} & set(fleet.ids)
            if seen != ids and set(_of(fleet, wanted)) == ids:
                raise Violation(
                    f"list with {in_words(wanted)} shows exactly {stock.names(ids)}, as it does alone",
                    f"beside others it shows {stock.names(seen)}",
                    answer,
                )


def expect_none_of(stock: Stock, wanted: ListFilter) -> None:
    """Say that a filter that no instance can match shows nothing of the stock, or is refused.

    Raises:
        Violation: it shows some.
    """
    answer = stock.fleet.list_answer(wanted)
    seen = [one.id for one in answer.value if one.id in stock.fleet.ids] if answer.ok else []
    if seen:
        raise Violation(f"list with {in_words(wanted)} shows nothing", shorten(seen), answer)


def _of(fleet: Fleet, wanted: ListFilter) -> Sequence[str]:
    answer = fleet.list_answer(wanted)
    if answer.code != "OK":
        raise Violation(f"list with {in_words(wanted)} answers instances", told(answer), answer)
    return [one.id for one in answer.value if one.id in fleet.ids]


def in_words(wanted: ListFilter) -> str:
    """Return a filter in a few words."""
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    return shorten(given, 300)


def single(stock: Stock) -> Iterator[ListFilter]:
    """Yield filters that are alone, or nearly."""
    fleet = stock.fleet
    yield ListFilter(tags={"role": fleet.mark})
    yield ListFilter(tags={"tier": "a", "nomos-check": fleet.mark})
    yield ListFilter(spec=fleet.samples.spec)
    yield ListFilter(status=(InstanceStatus.RUNNING,))
    yield ListFilter(status=(InstanceStatus.STOPPED,))
    yield ListFilter(tags={"nomos-check": fleet.mark}, status=(InstanceStatus.STOPPED,))


def in_pairs(stock: Stock) -> Iterator[ListFilter]:
    """Yield every two of the filters, and all of them; in each only one of the two decides."""
    fleet = stock.fleet
    first = next(iter(stock.made.values()))
    specs = {one.spec for one in stock.made.values()}
    parts: dict[str, Sequence[object]] = {
        "tags": ({"role": fleet.mark}, {"nomos-check": fleet.mark}),
        "spec": (*sorted(specs), f"no-{fleet.mark}"),
        "status": ((InstanceStatus.RUNNING,), (InstanceStatus.STOPPED,)),
        "include_terminated": (True,),
    }
    if first.region is not None:
        parts["region"] = (first.region, f"no-{fleet.mark}")
    for left, right in itertools.combinations(parts, 2):
        for values in itertools.product(parts[left], parts[right]):
            yield replace(ListFilter(), **{left: values[0], right: values[1]})  # type: ignore[arg-type] # by its name
    whole = {name: values[0] for name, values in parts.items()}
    yield replace(ListFilter(), **whole)  # type: ignore[arg-type] # by its name


def in_threes(stock: Stock) -> Iterator[ListFilter]:
    """Yield every three of the filters and all four, fitting one instance, and each with each in turn not fitting."""
    one, mark = stock.made["plain"], stock.fleet.mark
    other = next((each.spec for each in stock.made.values() if each.spec != one.spec), f"no-{mark}")
    parts: dict[str, tuple[object, object]] = {
        "tags": ({"role": mark, "nomos-check": mark}, {"role": mark + "x", "nomos-check": mark}),
        "spec": (one.spec, other),
        "status": ((InstanceStatus.RUNNING,), (InstanceStatus.STOPPED,)),
    }
    if one.region is not None:
        parts["region"] = (one.region, f"no-{mark}")
    for count in range(3, len(parts) + 1):
        for chosen in itertools.combinations(parts, count):
            right = {name: parts[name][0] for name in chosen}
            for wrong in (None, *chosen):
                given = right if wrong is None else {**right, wrong: parts[wrong][1]}
                yield replace(ListFilter(), **given)  # type: ignore[arg-type] # by its name


def with_ended(stock: Stock) -> Iterator[ListFilter]:
    """Yield filters that fit and do not fit those that were ended, all with what is terminated."""
    mark, gone = stock.fleet.mark, next(one for one in stock.made.values() if one.id in stock.ended)
    plain = ListFilter(tags={"nomos-check": mark}, include_terminated=True)
    yield plain
    yield from (replace(plain, spec=one) for one in (*sorted({o.spec for o in stock.made.values()}), f"no-{mark}"))
    yield from (replace(plain, tags={"role": one}) for one in (mark, mark + "x", f"no-{mark}"))
    yield from (replace(plain, status=one) for one in ((InstanceStatus.RUNNING,), tuple(ENDED)))
    if gone.region is not None:
        yield from (replace(plain, region=one) for one in (gone.region, f"no-{mark}"))


def matching(stock: Stock, wanted: ListFilter) -> set[str]:
    """Return the ids of the stock that match, by the values with which it was seen."""

    def fits(one: ProviderInstance, own: Tags) -> bool:
        tags = {**own, "nomos-check": stock.fleet.mark}
        gone = one.id in stock.ended
        status = {InstanceStatus.RUNNING} if not gone else ENDED
        return (
            (not gone or bool(wanted.include_terminated))
            and (wanted.status is None or not status.isdisjoint(wanted.status))
            and (wanted.spec is None or one.spec == wanted.spec)
            and (wanted.region is None or one.region == wanted.region)
            and (wanted.tags is None or wanted.tags.items() <= tags.items())
        )

    found = stock.ids(fits)
    if not all(one.status is InstanceStatus.RUNNING for one in stock.made.values()):
        raise Blocked("clause:CMP-LIST-002", "list does not say that the instances run, get does")
    return found
