// The list of lines, bound to the picture's boxes: pointing at one marks the other.

import { $, copy, h, icon, ICONS } from "./dom.js";
import { t } from "./texts.js";
import { reveal, showTip, showWords, wordAt } from "./view.js";

const UNSURE = 0.85; // scores below are marked, for a second look

let lines = [], rows = [], boxes = [], active = 0;

// Show a page's lines; `polygons` are their boxes' elements.
export function showLines(result, polygons) {
  lines = result ? result.lines : [];
  boxes = polygons;
  rows = lines.map(rowOf);
  active = 0;
  showTip(null);
  $("lines").replaceChildren(...rows);
  boxes.forEach((box, index) => {
    box.addEventListener("pointerenter", () => mark(index, { tip: true, scroll: true }));
    box.addEventListener("pointerleave", () => mark(null));
    box.addEventListener("focus", () => mark(index, { tip: true, scroll: true }));
    box.addEventListener("blur", () => mark(null));
    box.addEventListener("click", () => {
      rows[index].firstChild.focus({ preventScroll: true }); // a small screen stays with the picture
      mark(index, { tip: true, scroll: true });
    });
    box.addEventListener("dblclick", (event) => {
      const word = wordAt(lines[index], event);
      if (word) copy(word.text);
    });
  });
}

function rowOf(line, index) {
  const score = h("span", { className: "score", textContent: line.score.toFixed(2) });
  score.classList.toggle("unsure", line.score < UNSURE);
  const said = h("button", {
    className: "said", tabIndex: index ? -1 : 0,
    onfocus: () => focused(index), onblur: () => mark(null),
    onclick: () => reveal(boxes[index]),
  }, h("span", { className: "words", textContent: line.text, dir: "auto" }), score);
  const button = h("button", {
    className: "quiet square", tabIndex: index ? -1 : 0, "aria-label": t("copy-line", { text: line.text }),
    onclick: () => copyLine(index), onfocus: () => focused(index), onblur: () => mark(null),
  }, icon(ICONS.copy));
  return h("li", { onpointerenter: () => mark(index, {}), onpointerleave: () => mark(null) }, said, button);
}

async function copyLine(index) {
  if (!(await copy(lines[index].text))) return;
  const button = rows[index].lastChild;
  button.replaceChildren(icon(ICONS.done));
  setTimeout(() => button.replaceChildren(icon(ICONS.copy)), 1200);
}

// Only one row and one box are stops of the Tab key; the arrows go to the others.
function focused(index) {
  for (const at of [active, index]) {
    const stop = at === index ? 0 : -1;
    for (const node of rows[at].children) node.tabIndex = stop;
    boxes[at].setAttribute("tabindex", stop);
  }
  active = index;
  mark(index, {});
  reveal(boxes[index]);
}

function focusRow(index) {
  rows[index].firstChild.focus();
}

function mark(index, { tip = false, scroll = false } = {}) {
  for (const [at, box] of boxes.entries()) {
    box.classList.toggle("on", at === index);
    rows[at].classList.toggle("on", at === index);
  }
  showTip(tip ? lines[index] : null);
  showWords(lines[index]);
  if (scroll) scrollTo(rows[index]);
}

// Bring a row into the list's sight, where the list scrolls, without moving the whole page.
function scrollTo(row) {
  const list = $("lines"), below = row.offsetTop + row.offsetHeight - list.clientHeight;
  list.scrollTop = Math.min(row.offsetTop, Math.max(below, list.scrollTop));
}

function moved(event, focus) {
  const last = lines.length - 1;
  const to = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: last }[event.key];
  if (to === undefined || last < 0) return;
  event.preventDefault();
  event.stopPropagation();
  focus(Math.min(last, Math.max(0, to)));
}

$("lines").addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "c" && (event.ctrlKey || event.metaKey) && getSelection().isCollapsed) {
    event.preventDefault();
    copyLine(active);
  }
  moved(event, focusRow);
});

$("overlay").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    focusRow(active);
  }
  moved(event, (index) => {
    focused(index);
    boxes[index].focus();
  });
});
