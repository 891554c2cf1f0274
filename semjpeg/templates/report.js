"use strict";
(() => {
  document.documentElement.classList.add("js");

  function chooseMeasure() {
    const select = document.querySelector("#measure");
    if (!select) return;
    const show = () => {
      for (const measure of document.querySelectorAll(".measure")) {
        measure.classList.toggle("current", measure.dataset.measure === select.value);
      }
    };
    select.addEventListener("change", show);
    show();
  }

  function startViewer(viewer) {
    const pictures = [...viewer.querySelectorAll(".picture")];
    const ranges = [...viewer.querySelectorAll("input[type=range]")];
    const heat = viewer.querySelector("#heat");
    const strip = viewer.querySelector(".strip");
    let current = 0;
    let wantsHeat = false;

    function split(percent) {
      const value = Math.min(100, Math.max(0, percent));
      viewer.style.setProperty("--split", `${value}%`);
      for (const range of ranges) {
        range.value = value;
        range.setAttribute("aria-valuetext", `${Math.round(value)} % original, ${100 - Math.round(value)} % result`);
      }
    }

    function showHeat() {
      const possible = pictures[current].querySelector(".heat") !== null;
      heat.disabled = !possible;
      heat.setAttribute("aria-pressed", String(wantsHeat && possible));
      viewer.classList.toggle("with-heat", wantsHeat && possible);
    }

    function show(index) {
      current = (index + pictures.length) % pictures.length;
      pictures.forEach((picture, at) => picture.classList.toggle("current", at === current));
      [...strip.children].forEach((thumb, at) => {
        if (at === current) thumb.setAttribute("aria-current", "true");
        else thumb.removeAttribute("aria-current");
      });
      const thumb = strip.children[current];
      strip.scrollLeft = thumb.offsetLeft - (strip.clientWidth - thumb.clientWidth) / 2;
      viewer.querySelector("#position").textContent = current + 1;
      split(50);
      showHeat();
    }

    function fillStrip() {
      pictures.forEach((picture, index) => {
        const button = document.createElement("button");
        const image = document.createElement("img");
        button.type = "button";
        button.setAttribute("aria-label", `Show picture ${index + 1}: ${picture.querySelector("h3").textContent}`);
        image.src = picture.querySelector(".whole .result img").src;
        image.alt = "";
        button.append(image);
        button.addEventListener("click", () => show(index));
        strip.append(button);
      });
      strip.hidden = pictures.length < 2;
      viewer.querySelector(".steps").hidden = pictures.length < 2;
    }

    function dragOn(stage) {
      const canvas = stage.querySelector(".canvas");
      const range = stage.querySelector("input");
      const follow = (event) => {
        const box = canvas.getBoundingClientRect();
        split((100 * (event.clientX - box.left)) / box.width);
      };
      stage.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        stage.setPointerCapture(event.pointerId);
        range.focus({ preventScroll: true, focusVisible: false });
        follow(event);
      });
      stage.addEventListener("pointermove", (event) => {
        if (stage.hasPointerCapture(event.pointerId)) follow(event);
      });
      range.addEventListener("input", () => split(Number(range.value)));
    }

    fillStrip();
    viewer.querySelectorAll(".stage").forEach(dragOn);
    heat.addEventListener("click", () => {
      wantsHeat = !wantsHeat;
      showHeat();
    });
    for (const button of viewer.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => {
        viewer.dataset.view = button.dataset.show;
        for (const other of viewer.querySelectorAll("[data-show]")) {
          other.setAttribute("aria-pressed", String(other === button));
        }
      });
    }
    viewer.querySelector("#previous").addEventListener("click", () => show(current - 1));
    viewer.querySelector("#next").addEventListener("click", () => show(current + 1));
    document.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const isPlain = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
      const isOurs = event.target === document.body || viewer.contains(event.target);
      if (!step || !isPlain || !isOurs || event.target.matches("input, select")) return;
      event.preventDefault();
      show(current + step);
    });
    show(0);
  }

  document.addEventListener("DOMContentLoaded", () => {
    chooseMeasure();
    document.querySelectorAll(".viewer").forEach(startViewer);
  });
})();
