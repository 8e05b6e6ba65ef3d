"""Resembling names: a path gives nothing of what stands under another one, also right after that was asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import as_map
from nomos_contracts.config.likenesses import Likeness, endings_of, inherited, likenesses
from nomos_contracts.config.probes import fetch_all, fetch_whole, gives, is_special, plain_samples
from nomos_contracts.config.samples import ConfigSamples, Segments, ValueSample
from nomos_contracts.config.spellings import folds_names
from nomos_contracts.config.values import parts_of
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.violation import Violation, same, shorten

AFTERWARDS = 16
"""Likenesses that are asked for right after the path that they resemble: a small cache still holds its answer."""


FURTHER = 4
"""Samples with odd names, and parts of samples, that are taken beside the usual ones."""


class ResemblingNamesContract(Contract):
    """A segment is a name from its first to its last character, and a path is its segments in their order.

    Nothing is read into a name: it is no pattern, no expression, no part of a URL and no path of its own. The key of a
    cache is the list of the segments, not a text that is joined from them.
    """

    @clause("CFG-FETCH-010")
    def test_reads_nothing_into_a_name(self, nomos_provider: RunningProvider, nomos_samples: ConfigSamples) -> None:
        """Right after what they resemble; a name that the map above it holds, or that could be chance, is let pass."""
        known = {sample.path for sample in nomos_samples.values}
        endings, folded = endings_of(nomos_provider.good_config), folds_names()
        seen: set[Segments] = set()
        taken: dict[str, list[Answer]] = defaultdict(list)
        for sample in _chosen(nomos_samples):
            alike = [
                like
                for like in (
                    *likenesses(sample, endings, folded=folded),
                    *islice(inherited(sample, nomos_samples.values), AFTERWARDS),
                )
                if like.path not in known | seen
            ]
            # What begins alike is misread alike: each beginning is tried with one sample.
            alike = [like for like in alike if like.path[: like.at + 1] not in seen]
            seen.update(like.path[: like.at + 1] for like in alike if like.at < len(sample.path) - 1)
            for like, answer in _asked_after(nomos_provider, sample, alike):
                self._expect_other(nomos_provider, nomos_samples, sample, like, answer, taken)
            self._expect_no_characters(nomos_provider, nomos_samples, sample, known)

    @staticmethod
    def _expect_other(
        provider: RunningProvider,
        samples: ConfigSamples,
        sample: ValueSample,
        like: Likeness,
        answer: Answer,
        taken: dict[str, list[Answer]],
    ) -> None:
        if not gives(answer, sample.value):
            return
        there = _is_there(provider, samples, like)
        if there:
            return
        taken[like.how].append(answer)
        if there is False or len(taken[like.how]) >= like.least:
            expected = f"Fetch of {shorten(list(like.path))} does not answer for {list(sample.path)}"
            raise Violation(f"{expected}, as one does that {like.how}", answer.summary, *taken[like.how][-3:])

    @staticmethod
    def _expect_no_characters(
        provider: RunningProvider, samples: ConfigSamples, sample: ValueSample, known: set[Segments]
    ) -> None:
        """See that a string has no elements."""
        text, (*above, name) = sample.value, sample.path
        path = (*above, f"{name}[0]")
        if not isinstance(text, str) or len(text) < 2 or path in known:
            return
        answer = provider.fetch(path)
        if answer.ok and any(same(answer.value, of) for of in (text[0], ord(text[0]), text.encode()[0])):
            like = Likeness(path, len(above), name, "takes a string for a list")
            if _is_there(provider, samples, like) is False:
                raise Violation(
                    f"Fetch of {list(path)} finds nothing: what {name!r} holds is a string", answer.summary, answer
                )


def _chosen(samples: ConfigSamples) -> list[ValueSample]:
    """Return some samples at plain names, those with odd names among them, and parts of maps among the samples."""
    plain = [s for s in samples.values if s.path and not any(is_special(segment) for segment in s.path)]
    odd = [s for s in plain if not all(segment.isascii() and segment.isalnum() for segment in s.path)]
    parts = (part for s in plain if as_map(s.value) for part in parts_of(s) if not any(map(is_special, part.path)))
    chosen = [*plain_samples(samples), *odd[:FURTHER], *islice(parts, FURTHER)]
    return list({sample.path: sample for sample in reversed(chosen)}.values())[::-1]


def _asked_after(
    provider: RunningProvider, sample: ValueSample, alike: Sequence[Likeness]
) -> Iterator[tuple[Likeness, Answer]]:
    """Yield each likeness with what is answered to it soon after *sample* itself was asked for."""
    for start in range(0, len(alike), AFTERWARDS):
        batch = alike[start : start + AFTERWARDS]
        if not gives(provider.fetch(sample.path), sample.value):
            return  # another clause's business, or a part that cannot be asked for
        yield from zip(batch, fetch_all(provider, [like.path for like in batch]), strict=True)


def _is_there(provider: RunningProvider, samples: ConfigSamples, like: Likeness) -> bool | None:
    """Whether the map above the other name holds that name too; None where the provider does not show that map."""
    above = like.path[: like.at]
    for path in (above, (*above, "*")):
        keys = _keys(fetch_whole(provider, samples, path))
        if like.beside in keys:
            return like.path[like.at] in keys
    return None


def _keys(answer: Answer) -> Iterable[str]:
    """Return the names in a map, whether it holds nothing but the key ``value`` or not."""
    shown = as_map(answer.value) if answer.ok else None
    return {*(shown or ()), *((answer.struct or ()) if answer.ok else ())}
