from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.verdict import Outcome
from pytest_nomos.report.folder import write_report
from pytest_nomos.report.model import Report
from pytest_nomos.report.page.matrix import KillMatrix, load_matrix
from pytest_nomos.report.page.render import SYMBOLS, headline, page
from pytest_nomos.report.page.rows import visible
from unit.report import made, paged

MATRIX = {"matrix": {"CFG-FETCH-001": ["mutant:<b>"], "CFG-FETCH-002": []}, "rows": [{"name": "mutant:<b>"}]}


class Elements(HTMLParser):
    """Start tags with attributes, what stands in scripts and styles, and all other text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.raw.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[-1] = (self.raw[-1][0], self.raw[-1][1] + data)
        else:
            self.text += data

    def data(self, name: str) -> Any:
        return json.loads(next(text for attrs, text in self.raw if attrs.get("id") == name))


@pytest.mark.parametrize(
    "report",
    [made.kept_report(), made.mixed_report(), paged.chaos_report(), paged.incomplete_report(), paged.wide_report(12)],
    ids=["kept", "mixed", "chaos", "incomplete", "wide"],
)
def test_the_same_report_gives_the_same_page_which_loads_nothing(report: Report) -> None:
    text = page(report)
    assert text == page(report)
    for _, attributes in Elements(text).tags:
        assert "src" not in attributes
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else() -> None:
    found = Elements(page(made.mixed_report()))
    (policy,) = [a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for attributes, text in found.raw
        if attributes.get("type") != "application/json"
    ]
    assert [rules["style-src"], *rules["script-src"].split()] == hashes


def test_every_clause_stands_on_the_page_with_its_outcome() -> None:
    report = made.mixed_report()
    found = Elements(page(report)).data("index")
    shown = {
        found["clauses"][clause][0]: found["outcomes"][outcome]
        for clause, outcome, *_ in found["targets"][0]["results"]
    }
    assert shown == {result.id: result.outcome.value for result in report.targets[0].clauses}


def test_the_details_hold_what_was_seen_how_to_mend_it_and_the_replay_line() -> None:
    report = made.mixed_report()
    found = Elements(page(report))
    place = next(n for n, result in enumerate(report.targets[0].clauses) if result.outcome is Outcome.FAILED)
    (check,) = found.data("details-0")[place]
    (record,) = report.targets[0].clauses[place].checks
    assert {name: check[name] for name in ("expected", "got", "mend", "replay")} == {
        "expected": record.expected,
        "got": record.got,
        "mend": record.mend,
        "replay": record.replay,
    }
    assert json.loads(check["exchanges"][0]["json"]) == record.exchanges[0].model_dump(mode="json")
    assert f"{found.data('index')['nodes'][check['node']]}[provider]" == record.node


def test_the_verdict_of_both_profiles_is_told_in_words() -> None:
    text = re.sub(r"\s+", " ", Elements(page(made.mixed_report())).text)
    assert "profile standard, claimed broken " in text
    assert "profile cli, not claimed broken " in text
    for fact in (made.subject().sha256, "2026-12", "reference", "seed"):
        assert fact in text


def test_an_incomplete_report_is_marked_and_gives_no_verdict() -> None:
    text = Elements(page(paged.incomplete_report())).text
    assert "This report is incomplete." in text
    assert "Incomplete: no verdict" in text
    assert "no verdict so far: not judged" in re.sub(r"\s+", " ", text)
    assert "This report is incomplete." not in page(made.kept_report())


def test_a_report_without_targets_is_a_page_that_says_so() -> None:
    empty = made.kept_report().model_copy(update={"targets": ()})
    assert "Nothing was tried" in Elements(page(empty)).text


@pytest.mark.parametrize(
    ("report", "word"),
    [
        (made.kept_report(), "kept"),
        (made.mixed_report(), "broken"),
        (paged.incomplete_report(), "incomplete"),
        (paged.wide_report(10), "broken"),
    ],
)
def test_the_headline_is_the_worst_verdict(report: Report, word: str) -> None:
    assert headline(report)[0] == word
    assert headline(report)[1].lower().startswith(word)


def test_nothing_that_a_provider_says_becomes_an_element_or_hides() -> None:
    plain, hostile = Elements(page(paged.chaos_report())), Elements(page(paged.hostile_report()))
    assert {tag for tag, _ in hostile.tags} <= {tag for tag, _ in plain.tags} | {"h4", "pre"}
    assert len(hostile.raw) == len(plain.raw)
    text = page(paged.hostile_report())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\u202e\u2066]", text)
    assert "\\u202e" in hostile.text
    (check,) = hostile.data("details-0")[0]
    assert check["got"].startswith(paged.HOSTILE[0])


@pytest.mark.parametrize("text", ["a\u202eb", "a\x00b", "a\x1bb", "a\ufeffb", "a\u200bb", "a\ud800b"])
def test_what_a_browser_would_hide_is_shown_as_an_escape(text: str) -> None:
    assert visible(text) == f"a\\u{ord(text[1]):04x}b"


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    text = "Zürich 東京 שלום\n\tnext"
    assert visible(text) == text


def test_each_outcome_has_a_sign_of_its_own() -> None:
    assert set(SYMBOLS) == set(Outcome)
    assert len(set(SYMBOLS.values())) == len(Outcome)


def test_the_kill_matrix_is_shown_where_one_lies_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "kill-matrix.json").write_text(json.dumps({"summary": {}, **MATRIX}))
    text = write_report(tmp_path, made.mixed_report()).page.read_text()
    found = Elements(text)
    assert "1 of 2 clauses kill no mutant" in found.text
    assert "mutant:<b>" in found.text
    assert "<b>mutant" not in text
    assert found.data("index")["killed"] == {"CFG-FETCH-001": ["mutant:<b>"]}


@pytest.mark.parametrize("content", ["", "[]", '{"matrix": 1}', '{"matrix": {}, "rows": [1]}', "{", "\0"])
def test_a_kill_matrix_that_is_none_is_left_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "kill-matrix.json").write_text(content)
    assert load_matrix(tmp_path) is None
    assert 'id="matrix"' not in write_report(tmp_path, made.kept_report()).page.read_text()


def test_mutants_that_were_not_as_listed_are_named_first() -> None:
    matrix = KillMatrix.model_validate({"matrix": {}, "rows": [{"name": "m", "breaks": ["A"], "problems": ["odd"]}]})
    assert "m lists A: odd" in Elements(page(made.kept_report(), matrix)).text


def test_experiments_that_did_not_heal_come_first() -> None:
    found = Elements(page(paged.chaos_report())).data("experiments")
    assert [entry["clause"] for entry in found] == [paged.SECOND, paged.FIRST, paged.SECOND]
    assert [entry["healed"] for entry in found] == [False, True, True]


def test_many_targets_share_their_clauses(tmp_path: Path) -> None:
    one, many = (len(page(paged.wide_report(count))) for count in (1, 21))
    assert (many - one) / 20 < 25_000
