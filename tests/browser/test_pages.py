"""Every kind of page in a real browser: contrast, labels, widths, print, links."""

import pytest

from wavecheck import check, compare, prove, run
from wavecheck.reports.html.report import report

KINDS = ("search", "proof", "comparison", "run")
CONTRAST_MIN = 4.5

CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = ([r, g, b, a = 1], [R, G, B]) =>
    [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const under = getComputedStyle(one, "::before"); // lies under the text
      if (under.content !== "none") layers.push(parse(under.backgroundColor));
      layers.push(parse(getComputedStyle(one).backgroundColor));
    }
    return layers.reverse().reduce((under, layer) =>
      layer.length ? over(layer, under) : under, [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.offsetParent) continue;
    if (element.closest("script, style, svg, :disabled")) continue;
    texts += 1;
    const under = ground(element);
    const colour = over(parse(getComputedStyle(element).color), under);
    const [front, back] = [light(colour), light(under)];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const text = node.textContent.trim().slice(0, 40);
    if (ratio < MIN) poor.push([text, ratio.toFixed(2)]);
  }
  return [texts, poor];
}""".replace("MIN", str(CONTRAST_MIN))


@pytest.fixture(scope="module")
def pages():
    """A page of each kind, by name."""
    return {
        "search": report(check("import-job", "stalling", executions=200)),
        "proof": report(prove("wd", "stalling")),
        "comparison": report(compare("incident")),
        "run": report(run("incident", "stalling")),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_text_can_be_read(open_page, pages, kind, scheme):
    """Every visible text has a contrast of 4.5 to 1 to what is under it (WCAG AA)."""
    opened = open_page(pages[kind], scheme=scheme)
    opened.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    if kind != "comparison" and kind != "run":
        opened.press("ArrowRight", "ArrowRight", "ArrowRight")
    texts, poor = opened.page.evaluate(CONTRAST)
    assert texts > 50
    assert poor == []


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_scrolls_sideways(open_page, pages, kind, width):
    """What is wide scrolls in its own frame, on a desk and on a phone."""
    opened = open_page(pages[kind], width=width)
    opened.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("kind", KINDS)
def test_everything_has_a_name(open_page, pages, kind):
    """Buttons, links, pictures, lists to step in: a screen reader can name each."""
    opened = open_page(pages[kind])
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll(
             "button, a, summary, [role]:not([role=status]), svg:not([aria-hidden])"
           )].filter((one) =>
               !(one.ariaLabel || one.textContent.trim()
                 || one.getAttribute("aria-labelledby"))).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert opened.page.locator("h1").count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_link_leads_somewhere(open_page, pages, kind):
    """Each fragment on the page names an element of the page, once."""
    opened = open_page(pages[kind])
    lost = opened.page.evaluate(
        """() => [...document.querySelectorAll("a[href^='#']")].map(
             (one) => one.getAttribute("href").slice(1)).filter(
             (name) => !document.getElementById(name)
                && !/^[cx][0-9]+-[sp]?[0-9.]+$/.test(name))"""
    )
    assert lost == []
    twice = opened.page.evaluate(
        """() => {
             const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
             return ids.filter((one, at) => ids.indexOf(one) !== at); }"""
    )
    assert twice == []


def test_a_verdict_opens_its_evidence(open_page, pages):
    """A click on a cell opens the closed section that it names."""
    opened = open_page(pages["comparison"])
    assert not opened.page.locator("#r2").evaluate("one => one.open")
    opened.page.click("tr:has-text('stalling') .violated a >> nth=0")
    opened.page.wait_for_function("document.getElementById('r2').open")
    assert "pending_too_long" in opened.text("#r2")


def test_alerts_stand_on_the_time_line(open_page, pages):
    """Three alerts of the incident, numbered on the chart as in the list."""
    opened = open_page(pages["run"])
    assert opened.page.locator(".alerts li").count() == 3
    assert opened.page.locator(".multiples .alert-mark").count() == 3
    assert "many_dispatch_calls, wave 7, 10.350 s" in " ".join(
        opened.text(".alerts").split()
    )


def test_a_page_prints_everything(open_page, pages):
    """On paper every section is open and no button is left."""
    opened = open_page(pages["proof"])
    opened.page.emulate_media(media="print")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details.section:not([open])").count() == 0
    assert not opened.page.locator(".controls").first.is_visible()
    assert opened.page.locator(".steps").first.is_visible()
    assert len(opened.page.pdf()) > 10_000
