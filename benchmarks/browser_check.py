"""Does a browser show our files as Pillow does? Draws them on a canvas, headless, and compares every sample.

python benchmarks/browser_check.py [--browser PROGRAM]

Needs Chromium or a relative of it. Exits with 1 if a picture differs, 2 if no browser was found or none answered.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from skimage import data

import codec

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MOST_LEVELS: Final = 2
"""Most difference of a sample: a browser may use another inverse DCT or enlarge chroma a little otherwise."""
_PATIENCE_S: Final = 120
_MAP: Final = np.linspace(0, 1, 12).reshape(3, 4)

_PAGE: Final = """<!doctype html><meta charset="utf-8"><pre id="told"></pre><script>
const cases = CASES;
async function differences({name, jpeg, png}) {
  const samples = await Promise.all([jpeg, png].map(async url => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", {colorSpace: "srgb"});
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }));
  const [ours, expected] = samples;
  if (ours.width !== expected.width || ours.height !== expected.height) return {name, most: 255, mean: 255};
  let most = 0, sum = 0;
  for (let i = 0; i < ours.data.length; i++) {
    const difference = Math.abs(ours.data[i] - expected.data[i]);
    most = Math.max(most, difference);
    sum += difference;
  }
  return {name, most, mean: sum / ours.data.length};
}
Promise.all(cases.map(one => differences(one).catch(error => ({name: one.name, error: String(error)}))))
  .then(results => { document.getElementById("told").textContent = "RESULTS" + JSON.stringify(results) + "END"; });
</script>"""


def main() -> int:
    """Encode, ask the browser, print a line per picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", help="program to use instead of the first found on the PATH")
    browser = parser.parse_args().browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser on the PATH: looked for {', '.join(BROWSERS)}", file=sys.stderr)
        return 2
    results = ask(browser, list(cases()))
    if results is None:
        return 2
    for result in results:
        told = result.get("error") or f"most {result['most']}, mean {result['mean']:.4f}"
        print(f"{'same  ' if same(result) else 'DIFFERS'} {result['name']}: {told}")
    return 0 if all(map(same, results)) else 1


def same(result: dict[str, object]) -> bool:
    """Tell whether a browser's samples are near enough."""
    most = result.get("most")
    return isinstance(most, int) and most <= MOST_LEVELS


def cases() -> list[dict[str, str]]:
    """Return names, files, and what Pillow makes of them as PNG, as data URLs: a canvas may be read back then."""
    colour = np.ascontiguousarray(data.astronaut()[:301, :397])
    pictures = {
        "colour": colour,
        "grey": np.ascontiguousarray(data.camera()[:133, :247]),
        "odd": np.ascontiguousarray(colour[:17, :33]),
        "one pixel": np.ascontiguousarray(colour[:1, :1]),
        "noise": np.random.default_rng(1).integers(0, 256, (90, 75, 3), dtype=np.uint8),
    }
    found = []
    for kind, pixels in pictures.items():
        for quality in (30, 75, 95):
            for method in codec.METHODS:
                jpeg = codec.encode(pixels, _MAP, rate=codec.Quality(quality), method=method).data
                png = io.BytesIO()
                Image.open(io.BytesIO(jpeg)).save(png, "PNG")
                found.append(
                    {
                        "name": f"{kind}, {method} at {quality}",
                        "jpeg": _url("jpeg", jpeg),
                        "png": _url("png", png.getvalue()),
                    }
                )
    return found


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def ask(browser: str, pictures: list[dict[str, str]]) -> list[dict[str, object]] | None:
    """Return what the page found out about each picture; None if it told nothing."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(_PAGE.replace("CASES", json.dumps(pictures)), encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--no-sandbox",  # our own page, and containers have none
            "--disable-gpu",
            "--force-color-profile=srgb",
            f"--user-data-dir={folder}/profile",
            "--virtual-time-budget=60000",
            "--dump-dom",
            page.as_uri(),
        ]
        done = subprocess.run(  # noqa: S603  the browser that the user has or names
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    told = re.search(r"RESULTS(\[.*\])END", done.stdout)
    if told is None:
        print(f"{browser} told nothing (exit code {done.returncode}):\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    results: list[dict[str, object]] = json.loads(told[1])
    return results


if __name__ == "__main__":
    sys.exit(main())
