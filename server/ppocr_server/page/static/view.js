// The picture, its boxes and its zoom.

import { $, svg } from "./dom.js";
import { t } from "./texts.js";

const STEPS = [0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4, 6, 8];
const LARGEST_FIT = 1.5; // small pictures are not blown up further by themselves

const stage = $("stage"), frame = $("frame"), image = $("image"), overlay = $("overlay");
let url = null, size = null, chosen = null; // `chosen` is null while the picture fits the stage

// Show a page's picture (or none), and boxes once there are some; gives the boxes' elements.
export function showPicture(address, result) {
  if (address !== url) {
    url = address;
    $("unseen").hidden = true;
    size = chosen = null;
    frame.hidden = true;
    if (address) image.src = address;
    else image.removeAttribute("src");
  }
  if (result?.width) size = { width: result.width, height: result.height };
  const boxes = result ? result.lines.map(boxOf) : [];
  overlay.replaceChildren(...boxes);
  resize();
  return boxes;
}

function boxOf(line, index) {
  const points = line.box.map((point) => point.join(",")).join(" ");
  const label = `${line.text}, ${t("score", { score: line.score.toFixed(3) })}`;
  return svg("polygon", { points, role: "button", "aria-label": label, tabindex: index ? -1 : 0 });
}

function scale() {
  if (chosen) return chosen;
  const room = { width: stage.clientWidth - 32, height: stage.clientHeight - 32 };
  return Math.max(0.02, Math.min(room.width / size.width, room.height / size.height, LARGEST_FIT));
}

function resize() {
  if (!size) {
    $("fit").textContent = "–";
    return;
  }
  const by = scale(), percent = `${Math.round(100 * by)} %`;
  frame.style.width = `${size.width * by}px`;
  frame.style.height = `${size.height * by}px`;
  overlay.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  $("fit").textContent = percent;
  $("fit").setAttribute("aria-label", t("fit", { percent }));
  frame.hidden = false;
}

// Enlarge so that what is under (x, y) of the stage stays there.
function zoom(to, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  if (!size) return;
  const before = scale(), left = stage.scrollLeft + x, top = stage.scrollTop + y;
  chosen = to;
  resize();
  const by = scale() / before;
  stage.scrollTo(left * by - x, top * by - y);
}

const larger = () => zoom(STEPS.find((step) => step > scale() + 0.001) ?? STEPS.at(-1));
const smaller = () => zoom(STEPS.findLast((step) => step < scale() - 0.001) ?? STEPS[0]);

// Bring a box into sight.
export function reveal(box) {
  const inside = stage.getBoundingClientRect(), place = box.getBoundingClientRect();
  const hidden = place.left < inside.left || place.right > inside.right || place.top < inside.top || place.bottom > inside.bottom;
  if (!hidden) return;
  stage.scrollBy({
    left: place.left + place.width / 2 - inside.left - inside.width / 2,
    top: place.top + place.height / 2 - inside.top - inside.height / 2,
    behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
  });
}

// Outline the words of a line; null takes the outlines away.
export function showWords(line) {
  for (const word of overlay.querySelectorAll("path")) word.remove();
  const words = line?.words ?? [];
  overlay.append(...words.map(({ box }) => svg("path", { d: `M${box.map((point) => point.join(" ")).join("L")}Z` })));
}

// The word of a line whose outline is under the pointer.
export function wordAt(line, { clientX, clientY }) {
  const at = new DOMPoint(clientX, clientY).matrixTransform(overlay.getScreenCTM().inverse());
  const index = [...overlay.querySelectorAll("path")].findIndex((word) => word.isPointInFill(at));
  return line.words?.[index];
}

// Say a box's text beside it; null takes that away.
export function showTip(line) {
  const tip = $("tip");
  tip.hidden = !line;
  if (!line) return;
  tip.replaceChildren(line.text || "…", Object.assign(document.createElement("small"), { textContent: line.score.toFixed(3) }));
  const by = scale(), xs = line.box.map((point) => point[0] * by), ys = line.box.map((point) => point[1] * by);
  const above = Math.min(...ys) - tip.offsetHeight - 8, shown = stage.scrollTop - frame.offsetTop;
  tip.style.top = `${above > shown ? above : Math.max(...ys) + 8}px`;
  const room = stage.scrollLeft + stage.clientWidth - frame.offsetLeft - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(4 - frame.offsetLeft, Math.min(Math.min(...xs), room))}px`;
}

// A broken picture is said in words, not by the browser's icon.
image.addEventListener("error", () => {
  size = chosen = null;
  frame.hidden = true;
  $("unseen").hidden = false;
  resize();
});
image.addEventListener("load", () => {
  size ??= { width: image.naturalWidth, height: image.naturalHeight };
  resize();
});
new ResizeObserver(resize).observe(stage);
$("zoom-in").addEventListener("click", larger);
$("zoom-out").addEventListener("click", smaller);
$("fit").addEventListener("click", () => zoom(null));
$("boxes").addEventListener("click", () => {
  const shown = overlay.classList.toggle("unshown") === false;
  $("boxes").setAttribute("aria-pressed", String(shown));
});

stage.addEventListener("keydown", (event) => {
  const act = { "+": larger, "=": larger, "-": smaller, 0: () => zoom(null) }[event.key];
  if (!act || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  act();
});

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  const to = Math.min(STEPS.at(-1), Math.max(STEPS[0], scale() * Math.exp(-event.deltaY / 300)));
  zoom(to, event.clientX - left, event.clientY - top);
}, { passive: false });

// A mouse drags the picture where a finger would scroll it.
let held = null;
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button !== 0) return;
  held = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop };
});
addEventListener("pointermove", (event) => {
  if (held) stage.scrollTo(held.x - event.clientX, held.y - event.clientY);
});
addEventListener("pointerup", () => (held = null));
image.draggable = false;
