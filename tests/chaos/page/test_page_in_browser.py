from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from chaos.page.browser import Browser, browser
from pytest_nomos.report.folder import write_report
from pytest_nomos.report.model import Report
from unit.report import made, paged

Open = Callable[..., Browser]
LOWEST_CONTRAST = 4.5
"""WCAG 2.2, AA, for text of any size."""


@pytest.fixture(scope="module")
def tab(component: Callable[[str], str]) -> Iterator[Browser]:
    with browser(component("chromium")) as found:
        yield found


@pytest.fixture
def show(tab: Browser, tmp_path: Path) -> Open:
    def show(report: Report, fragment: str = "", width: int = 1280, theme: str = "light") -> Browser:
        tab.open(f"{write_report(tmp_path, report).page.as_uri()}{fragment}", width=width, theme=theme)
        return tab

    return show


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing of what is asked for."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve a report: what a page from a file stores is left to the browser, and Chromium 156 lost a tenth of it."""
    page = write_report(tmp_path, made.kept_report()).page
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(page.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{page.name}"
        server.shutdown()
        thread.join()


def found(tab: Browser, text: str) -> None:
    tab.until("return document.getElementById('found').innerText === arguments[0]", text)


def ids(tab: Browser) -> list[str]:
    shown: list[str] = tab.run("return [...document.querySelectorAll('tr.line')].map(e => e.result.id)")
    return shown


@pytest.mark.parametrize(
    "report",
    [made.kept_report(), paged.chaos_report(), paged.hostile_report(), paged.incomplete_report(), paged.wide_report(3)],
    ids=["kept", "chaos", "hostile", "incomplete", "wide"],
)
def test_the_page_opens_without_a_message_and_asks_for_nothing(show: Open, report: Report) -> None:
    tab = show(report)
    for button in tab.run("return [...document.querySelectorAll('button.open')].slice(0, 3)"):
        button.send_keys(Keys.ENTER)
    assert tab.run("return document.querySelectorAll('tr.details').length") == 3
    assert tab.messages() == []
    assert [url.rpartition("/")[2] for url in tab.requests()] == ["index.html"]


def test_a_report_without_targets_says_that_nothing_was_tried(show: Open) -> None:
    tab = show(made.kept_report().model_copy(update={"targets": ()}))
    assert tab.find("h1").text.endswith("Nothing was tried")
    found(tab, "No clause was tried.")
    assert tab.messages() == []


def test_search_finds_clauses_by_any_word_of_theirs_and_tells_how_many(show: Open) -> None:
    report = paged.chaos_report()
    everything = len(report.targets[0].clauses)
    tab = show(report)
    found(tab, f"{everything} clauses")
    tab.find("#q").send_keys("pytest-nomos call NOT_FOUND")
    found(tab, f"1 of {everything} clauses")
    assert ids(tab) == [paged.SECOND]
    tab.find("#q").send_keys(" nowhere")
    found(tab, f"No clause of {everything} matches.")
    assert not tab.find("#table").is_displayed()
    tab.find("#reset").click()
    found(tab, f"{everything} clauses")
    assert tab.find("#found").get_attribute("aria-live") == "polite"


def test_filters_stand_in_the_address_and_come_back_from_it(show: Open) -> None:
    tab = show(paged.wide_report(6))
    tab.find("[data-outcome=failed]").click()
    assert tab.run("return location.hash") == "#outcome=failed"
    tab.find("[data-outcome=warned]").click()
    tab.find("#target").send_keys("target-005")
    tab.until("return location.hash.includes('target-005')")
    both = ids(tab)
    assert len(both) == 2
    tab.find("#level").send_keys("SHOULD")
    tab.until("return location.hash.includes('SHOULD')")
    (warned,) = ids(tab)
    tab.find("button.open").click()
    fragment = tab.run("return location.hash")
    again = show(paged.wide_report(6), fragment)
    assert ids(again) == [warned]
    again.until("return document.querySelectorAll('tr.details').length === 1")
    pressed = "return [...document.querySelectorAll('[aria-pressed=true]')].map(e => e.dataset.outcome)"
    assert again.run(pressed) == ["failed", "warned"]
    again.run("location.hash = '#interface=process&outcome=passed&target=target-001'")
    again.until("return [...document.querySelectorAll('tr.line')].every(e => e.result.interface === 'process')")
    assert ids(again)


@pytest.mark.parametrize("fragment", ["#outcome=none&target=nobody&level=%00&order=x", "#%%%", "#open=x@y,</script>"])
def test_an_address_that_makes_no_sense_shows_everything(show: Open, fragment: str) -> None:
    tab = show(made.mixed_report(), fragment)
    assert tab.run("return document.getElementById('found').innerText").endswith(" clauses")
    assert tab.messages() == []


def test_the_worst_stands_first_unless_another_order_is_asked_for(show: Open) -> None:
    report = made.mixed_report()
    tab = show(report)
    assert tab.run("return document.querySelector('tr.line').result.outcome") == "failed"
    tab.find("#order").send_keys("as in")
    tab.until("return location.hash === '#order=contract'")
    assert ids(tab) == [result.id for result in report.targets[0].clauses][: len(ids(tab))]


def test_the_keyboard_alone_opens_a_row_and_walks_on(show: Open) -> None:
    tab = show(made.mixed_report())
    active = tab.driver.switch_to
    tab.find("body").send_keys(Keys.TAB)
    assert active.active_element.get_attribute("id") == "skip"
    active.active_element.send_keys(Keys.ENTER)
    tab.until("return document.activeElement.id === 'clauses'")
    for _ in range(40):
        if "open" in (active.active_element.get_attribute("class") or "").split():
            break
        active.active_element.send_keys(Keys.TAB)
    button = active.active_element
    assert button.get_attribute("aria-expanded") == "false"
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    details = tab.find(f"#{button.get_attribute('aria-controls')}")
    assert "How to mend it\nanswer NOT_FOUND" in details.text
    assert "On the wire" in details.text
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-expanded") == "false"
    assert not tab.run("return document.querySelectorAll('tr.details').length")
    button.send_keys(Keys.ARROW_DOWN)
    assert tab.run("return [...document.querySelectorAll('button.open')].indexOf(document.activeElement)") == 1


def test_the_replay_line_is_copied(show: Open) -> None:
    tab = show(made.mixed_report(), "#outcome=failed")
    tab.find("button.open").click()
    tab.find("button.copy").click()
    found(tab, "The replay line was copied.")
    tab.find("#q").send_keys(Keys.CONTROL, "v")
    assert tab.find("#q").get_attribute("value") == 'pytest-nomos call ./provider Fetch \'{"path": ["no"]}\''


def test_hostile_words_are_shown_and_never_run(show: Open) -> None:
    tab = show(paged.hostile_report(), "#outcome=failed")
    tab.find("button.open").click()
    tab.run("for (const element of document.querySelectorAll('details')) element.open = true")
    shown = tab.find("tr.details").text
    for word in (
        "</script><script>window.pwned=1</script>",
        "<img src=x onerror=window.pwned=2>",
        "{{ 7 * 7 }}",
        "\\u202eturned",
    ):
        assert word in shown
        assert word in tab.find("#verdict").text
    assert tab.run("return window.pwned === undefined")
    assert tab.run("return document.querySelectorAll('main img, main script, main a:not([href^=\"#\"])').length") == 0
    assert tab.messages() == []


def test_not_even_a_script_that_got_in_would_run(show: Open, tmp_path: Path) -> None:
    tab = show(made.kept_report())
    page = tmp_path / "index.html"
    page.write_text(page.read_text().replace("</main>", "<script>window.pwned = 1</script></main>"))
    tab.open(page.as_uri())
    assert tab.run("return window.pwned === undefined")
    (refusal,) = tab.messages()
    assert "Content Security Policy" in refusal
    tab.run("try { document.body.innerHTML = '<img src=x onerror=window.pwned=1>' } catch {}")
    assert tab.run("return window.pwned === undefined && document.images.length === 0")


@pytest.mark.parametrize(
    "report", [paged.chaos_report(), paged.hostile_report(), paged.wide_report(3)], ids=["chaos", "hostile", "wide"]
)
def test_a_phone_scrolls_in_one_direction_only(show: Open, report: Report) -> None:
    tab = show(report, "#outcome=failed", 390)
    tab.find("button.open").click()
    tab.run("for (const element of document.querySelectorAll('details')) element.open = true")
    wide = """
      return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest('.skip, svg, thead')).map(e => e.tagName + '.' + e.className)"""
    assert tab.run(wide) == []
    assert tab.run("return document.documentElement.scrollWidth") == 390


CONTRAST = """
const seen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgb = (colour) => {
  seen.clearRect(0, 0, 1, 1); seen.fillStyle = colour; seen.fillRect(0, 0, 1, 1);
  return [...seen.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255, 255];
};
const poor = new Map();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest('script, title, desc, noscript, :disabled')) continue;
  const style = getComputedStyle(element);
  const svg = element.namespaceURI.endsWith('svg');
  const [a, b] = [light(rgb(svg ? style.fill : style.color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  count += 1;
  if (ratio < arguments[0]) poor.set(`${element.tagName}.${element.getAttribute('class')}`, ratio);
}
return [count, Object.fromEntries(poor)];
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("report", [paged.chaos_report(), paged.incomplete_report()], ids=["chaos", "incomplete"])
def test_every_text_can_be_read_in_both_themes(show: Open, theme: str, report: Report) -> None:
    tab = show(report, theme=theme)
    tab.find("button.open").click()
    count, poor = tab.run(CONTRAST, LOWEST_CONTRAST)
    assert count > 300
    assert poor == {}


def test_the_theme_is_that_of_the_system_until_another_is_chosen_which_lasts(tab: Browser, served: str) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor"
    tab.open(served, theme="dark")
    dark = tab.run(paper)
    tab.open(served, theme="light")
    light = tab.run(paper)
    assert dark != light
    button = tab.find("#theme")
    assert button.text == "Theme: auto"
    button.click()
    button.click()
    assert button.text == "Theme: dark"
    assert tab.run(paper) == dark
    tab.open(served, theme="light")
    # A choice that was made just before reaches a new page late on a busy machine.
    tab.until(f"{paper} === arguments[0]", dark)
    tab.find("#theme").click()
    assert tab.find("#theme").text == "Theme: auto"
    assert tab.run(paper) == light


def test_a_theme_that_is_chosen_on_one_page_reaches_another(tab: Browser, served: str) -> None:
    tab.open(served)
    first = tab.driver.current_window_handle
    tab.driver.switch_to.new_window("tab")
    second = tab.driver.current_window_handle
    try:
        tab.driver.get(served)
        tab.until("return 'ready' in document.documentElement.dataset")
        for name in ("light", "dark", "auto"):
            tab.find("#theme").click()
            tab.driver.switch_to.window(first)
            tab.until("return document.getElementById('theme').innerText === arguments[0]", f"Theme: {name}")
            tab.driver.switch_to.window(second)
    finally:
        tab.driver.switch_to.window(second)
        tab.driver.close()
        tab.driver.switch_to.window(first)


def test_screen_readers_find_landmarks_headers_and_names(show: Open) -> None:
    tab = show(paged.wide_report(3))
    for selector in ("header", "main", "nav[aria-label]", "footer", "h1", "[role=search][aria-label]", "[role=status]"):
        assert len(tab.texts(selector)) == 1, selector
    assert tab.run("return document.documentElement.lang") == "en"
    assert tab.texts("#table th[scope=col]") == ["Clause", "Level", "Outcome", "What the provider does", "Source"]
    assert tab.run("return document.querySelectorAll('tr.line th[scope=row]').length") == len(ids(tab))
    nameless = """
      const named = (e) => e.textContent.trim() || e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby');
      return [...document.querySelectorAll('button, input, select, section')].filter(e => !named(e)).map(e => e.id)"""
    assert tab.run(nameless) == []
    twice = """
      const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
      return ids.filter((id, n) => ids.indexOf(id) !== n)"""
    assert tab.run(twice) == []


def test_an_experiment_is_drawn_with_its_faults_probes_and_recovery(show: Open) -> None:
    tab = show(paged.chaos_report())
    tab.until("return document.querySelectorAll('#timelines svg').length === 3")
    first = "document.querySelector('#timelines svg')"
    assert tab.run(f"return {first}.querySelectorAll('.fault').length") == 2
    assert tab.run(f"return {first}.querySelectorAll('.unfelt').length") == 1
    assert tab.run(f"return {first}.querySelectorAll('.good circle').length") == 10
    assert tab.run(f"return {first}.querySelectorAll('.bad path').length") == 8
    told = tab.run(f"return [...{first}.querySelectorAll('text')].map(e => e.textContent)")
    assert "pause · SIGSTOP" in told
    assert "not recovered in 1.5 s (bound 1 s)" in told
    assert tab.run(f"return {first}.getAttribute('role')") == "img"
    assert tab.run(f"return {first}.querySelector('desc').textContent") == tab.texts("#timelines figcaption")[0]
    assert tab.texts("#timelines .pill")[0] == "✗ failed"
    bars = f"[...{first}.querySelectorAll('.fault')].map(e => e.getBoundingClientRect())"
    pause, latency = tab.run(f"return {bars}.map(r => [r.left, r.right])")
    assert pause[0] == pytest.approx(latency[0], abs=1)
    assert pause[1] == pytest.approx(
        tab.run(f"return {first}.querySelector('.ended').getBoundingClientRect().left"), abs=1
    )
    assert (pause[1] - pause[0]) == pytest.approx(2 * (latency[1] - latency[0]), rel=0.05)


def test_a_picture_leads_to_its_clause_and_is_drawn_there_too(show: Open) -> None:
    tab = show(paged.chaos_report())
    tab.find("#timelines a").click()
    tab.until("return document.querySelectorAll('tr.details svg').length === 2")
    assert ids(tab) == [paged.SECOND]


def test_a_picture_is_drawn_anew_for_another_width(show: Open) -> None:
    tab = show(paged.chaos_report())
    width = tab.until("return document.querySelector('#timelines svg')?.getBoundingClientRect().width")
    metrics = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    tab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    tab.until(
        "return document.querySelector('#timelines svg').getBoundingClientRect().width < Math.min(arguments[0], 390)",
        width,
    )


def test_two_hundred_targets_open_with_a_part_of_their_rows_and_the_rest_on_demand(show: Open) -> None:
    report = paged.wide_report(200)
    everything = sum(len(target.clauses) for target in report.targets)
    assert everything > 20_000
    tab = show(report)
    found(tab, f"{everything:,} clauses")
    assert len(ids(tab)) == 100
    tab.find("#more").click()
    assert len(ids(tab)) == 200
    tab.find("#q").send_keys("target-137")
    found(tab, f"{len(report.targets[137].clauses)} of {everything:,} clauses")
    tab.find("#q").send_keys(" nowhere")
    found(tab, f"No clause of {everything:,} matches.")
    assert tab.messages() == []


def test_a_printed_page_holds_more_than_the_first_rows(show: Open) -> None:
    report = made.mixed_report()
    tab = show(report)
    tab.run("dispatchEvent(new Event('beforeprint'))")
    assert len(ids(tab)) == len(report.targets[0].clauses) > 100
