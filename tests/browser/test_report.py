"""The page of `semjpeg report` in a real browser: what is seen is read from the pixels of screenshots."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

RED, GREEN, BLUE = (200, 40, 30), (30, 150, 50), (40, 60, 190)
"""The colours of the pictures, in the order original, result, next result; see `conftest.py`."""

TEXT_CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((c) => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const isClear = (colour) => channels(colour)[3] === 0;
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!isClear(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, title")) continue;
    const style = getComputedStyle(element);
    const ink = light(element.closest("svg") ? style.fill : style.color), ground = light(behind(element));
    found.push([(Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05), texts.currentNode.data.trim()]);
  }
  return found;
}"""


@pytest.fixture
def opened(visit, report):
    return visit(report.path)


@pytest.fixture
def page(opened):
    return opened.page


def canvas(page):
    return page.locator(".picture.current .canvas:visible")


def seen(locator) -> np.ndarray:
    """The pixels of an element as float `[h, w, 3]`."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), float)


def colour_at(pixels: np.ndarray, across: float, down: float = 0.2) -> np.ndarray:
    """The mean colour of a patch, wide enough to even out the lines."""
    y, x = round(down * pixels.shape[0]), round(across * pixels.shape[1])
    return pixels[y : y + 32, max(0, x - 4) : x + 4].mean(axis=(0, 1))


def looks_like(colour: np.ndarray, expected: tuple[int, int, int]) -> bool:
    return bool(np.abs(colour - np.array(expected)).max() < 25)


def drag(page, *shares: float) -> None:
    """Press at the first share of the picture's width, and pull to the others."""
    box = canvas(page).bounding_box()
    xs = [box["x"] + share * box["width"] for share in shares]
    y = box["y"] + box["height"] * 0.75
    page.mouse.move(xs[0], y)
    page.mouse.down()
    for x in xs[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def test_original_is_left_and_result_right_of_where_one_drags(page):
    pixels = seen(canvas(page))
    assert looks_like(colour_at(pixels, 0.3), RED)
    assert looks_like(colour_at(pixels, 0.7), GREEN)

    drag(page, 0.5, 0.85)
    pixels = seen(canvas(page))
    assert [looks_like(colour_at(pixels, at), RED) for at in (0.1, 0.7, 0.82)] == [True] * 3
    assert looks_like(colour_at(pixels, 0.9), GREEN)

    drag(page, 0.2)
    pixels = seen(canvas(page))
    assert looks_like(colour_at(pixels, 0.15), RED)
    assert [looks_like(colour_at(pixels, at), GREEN) for at in (0.25, 0.5, 0.95)] == [True] * 3


def test_a_moving_pointer_that_is_not_pressed_moves_nothing(page):
    before = seen(canvas(page))
    box = canvas(page).bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    assert np.array_equal(seen(canvas(page)), before)


def test_a_finger_drags_too(visit, report):
    page = visit(report.path, width=360, height=780, has_touch=True, is_mobile=True).page
    canvas(page).scroll_into_view_if_needed()
    box = canvas(page).bounding_box()
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert looks_like(colour_at(seen(canvas(page)), 0.75), RED)


def test_arrow_keys_move_the_divider(page):
    slider = page.locator(".picture.current input[type=range]:visible")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "30"
    assert slider.get_attribute("aria-valuetext") == "30 % original, 70 % result"
    assert looks_like(colour_at(seen(canvas(page)), 0.4), GREEN)
    page.keyboard.press("End")
    assert looks_like(colour_at(seen(canvas(page)), 0.95), RED)
    assert page.locator("#position").text_content() == "1"


def test_the_overlay_comes_and_goes(page):
    plain = seen(canvas(page))
    page.locator("#heat").click()
    hot = seen(canvas(page))
    assert page.locator("#heat").get_attribute("aria-pressed") == "true"
    assert np.abs(colour_at(hot, 0.1) - colour_at(plain, 0.1)).max() > 30
    dark, bright = colour_at(hot, 0.1).sum(), colour_at(hot, 0.95).sum()
    assert bright > dark + 200  # the map is 0 in its left half and 1 in its right half
    page.locator("#heat").click()
    assert np.array_equal(seen(canvas(page)), plain)


def test_the_overlay_of_the_detail_is_that_of_the_detail(page):
    page.get_by_role("button", name="Detail 1:1").click()
    plain = seen(canvas(page))
    page.locator("#heat").click()
    hot = seen(canvas(page))
    for at in (0.05, 0.9):  # over the original as over the result
        assert np.abs(colour_at(hot, at) - colour_at(plain, at)).max() > 30
    assert colour_at(hot, 0.9).sum() > colour_at(hot, 0.05).sum() + 200


def test_a_picture_without_a_map_says_why(page):
    page.locator("#heat").click()
    page.locator("#previous").click()
    assert page.locator("#heat").is_disabled()
    assert "No map was kept" in page.locator(".picture.current .no-map").text_content()
    page.locator("#next").click()
    assert page.locator("#heat").get_attribute("aria-pressed") == "true"


def test_the_detail_shows_pixels_one_to_one(page):
    page.get_by_role("button", name="Detail 1:1").click()
    box = canvas(page).bounding_box()
    assert (box["width"], box["height"]) == (512, 384)
    pixels = seen(canvas(page))
    assert looks_like(colour_at(pixels, 0.3), RED)
    assert looks_like(colour_at(pixels, 0.7), GREEN)
    rows = pixels[:, 20:200, 0].mean(axis=1)
    lines = np.flatnonzero(rows < rows.mean() - 40)
    assert set(np.diff(lines)) == {16}  # the source has a line in every 16 rows
    page.get_by_role("button", name="Whole").click()
    assert canvas(page).bounding_box()["width"] == pytest.approx(720, abs=60)


def test_a_phone_shows_the_detail_one_to_one_too(visit, report):
    page = visit(report.path, width=360, height=780).page
    page.get_by_role("button", name="Detail 1:1").click()
    box = canvas(page).bounding_box()
    assert box["height"] == 384
    assert box["width"] < 360
    pixels = seen(canvas(page))
    assert looks_like(colour_at(pixels, 0.4), RED)
    assert looks_like(colour_at(pixels, 0.6), GREEN)


def test_next_and_previous_by_button_key_and_thumbnail(page):
    position = page.locator("#position")
    page.locator("#next").click()
    assert position.text_content() == "2"
    assert looks_like(colour_at(seen(canvas(page)), 0.25), GREEN)
    assert looks_like(colour_at(seen(canvas(page)), 0.8), BLUE)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert position.text_content() == "1"
    page.keyboard.press("ArrowLeft")
    assert position.text_content() == "3"
    page.locator(".strip button").nth(1).click()
    assert position.text_content() == "2"
    assert page.locator(".strip [aria-current]").count() == 1
    assert page.locator(".picture:visible").count() == 1


def test_totals_are_those_of_the_summary(page, report):
    summary = report.summary
    assert page.locator("#done").text_content() == str(summary.done)
    assert page.locator("#failed").text_content() == str(summary.failed)
    assert page.locator("#saved-share").text_content() == f"{1 - summary.bytes_out / summary.bytes_in:.1%}"
    assert page.locator("#libjpeg").text_content() == "50.0%"
    assert page.locator("#bytes-in").text_content() == f"{summary.bytes_in / 10**6:.2f} MB"
    assert page.locator("#bytes-out").text_content() == f"{summary.bytes_out / 10**3:.1f} kB"
    assert page.locator("#month").text_content() == "under $0.01"
    assert page.locator("#rate").text_content() == "0.5"  # 5 images, the last 8 s after the first


def test_quality_can_be_chosen(page):
    charts = page.locator("#quality .chart:visible")
    assert "PSNR-HVS-M" in charts.get_attribute("aria-label")
    page.get_by_label("Quality").select_option("ssim")
    assert charts.count() == 1
    assert "SSIM" in charts.get_attribute("aria-label")
    page.locator("#quality summary:visible").click()
    assert page.locator("#quality table:visible tbody tr").count() == 3


def test_hostile_keys_show_as_text(opened):
    page = opened.page
    assert "<img src=x onerror=" in page.locator(".picture h3").first.text_content()
    assert "</script><script>" in page.locator(".picture h3").nth(1).text_content()
    assert page.locator(".key").count() > 6
    assert page.title() == "autumn – semjpeg report"
    assert page.locator("img[src=x]").count() == 0


def test_it_asks_for_nothing_and_complains_of_nothing(opened):
    page = opened.page
    drag(page, 0.5, 0.7)
    page.locator("#heat").click()
    page.locator("#next").click()
    page.wait_for_load_state("networkidle")
    assert opened.requests[0].startswith("file:")
    assert [url for url in opened.requests[1:] if not url.startswith("data:")] == []
    assert opened.complaints == []


def test_injected_code_does_not_run(opened):
    """Should a hole be found in the escaping, the policy still holds."""
    page = opened.page
    page.evaluate("""() => {
      document.body.insertAdjacentHTML("beforeend", `<b onclick="document.title = 'owned'" id="trap">x</b>`);
      const script = document.createElement("script");
      script.textContent = "document.title = 'owned'";
      document.body.append(script, Object.assign(new Image(), { src: "http://127.0.0.1:9/x.png" }));
      document.querySelector("#trap").click();
    }""")
    assert page.title() == "autumn – semjpeg report"
    assert len(opened.complaints) == 3
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_scrolls_sideways(visit, report, width):
    page = visit(report.path, width=width, height=780).page
    for view in ("Whole", "Detail 1:1"):
        page.get_by_role("button", name=view).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = page.evaluate("""() => [...document.querySelectorAll("main *")]
      .filter((e) => e.checkVisibility() && !e.closest(".stage, .strip, .for-ears"))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)""")
    assert overflowing == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(visit, report, scheme):
    page = visit(report.path, color_scheme=scheme).page
    ground = seen(page.locator("footer"))[5, 5].mean()
    assert (ground > 200) if scheme == "light" else (ground < 50)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    for _ in range(3):
        contrasts = page.evaluate(TEXT_CONTRASTS)
        assert len(contrasts) > 100
        assert [(round(ratio, 2), text) for ratio, text in contrasts if ratio < 4.5] == []
        page.locator("#next").click()


def test_the_keyboard_alone_reaches_everything(page):
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("""() => {
          const e = document.activeElement, style = getComputedStyle(e.closest(".stage") ?? e);
          return [e.id || e.dataset.show || e.type || e.tagName, style.outlineStyle !== "none"];
        }""")
        )
    names = [name for name, _ in reached]
    for wanted in ("A", "measure", "whole", "detail", "heat", "previous", "next", "range", "button", "SUMMARY"):
        assert wanted in names, wanted
    assert all(outlined for name, outlined in reached if name != "BODY")


def test_without_scripts_everything_is_there(visit, report):
    page = visit(report.path, java_script_enabled=False).page
    assert page.locator(".picture:visible").count() == 3
    assert page.locator(".picture .original img:visible").count() == 6
    assert page.locator(".measure:visible").count() == 2
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    whole = page.locator(".whole .canvas").first
    pixels = seen(whole)
    assert looks_like(colour_at(pixels, 0.25), RED)
    assert looks_like(colour_at(pixels, 0.75), GREEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
