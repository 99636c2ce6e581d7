// Where the time went.

import { $, h } from "./dom.js";
import { t } from "./texts.js";

const ORDER = ["ocr", "det_preprocess", "det", "det_postprocess", "recognize", "cls", "rec"];

export function showTiming(result) {
  $("timing").hidden = !result;
  if (!result) return;
  $("timing-sum").textContent = t("read-in", { ms: Math.round(result.ms) });
  const names = Object.keys(result.steps).sort((a, b) => place(a) - place(b));
  const rows = names.map((name) => [name, result.steps[name]]);
  rows.unshift([t("whole"), { ms: result.ms, calls: 1 }]);
  const longest = Math.max(...rows.map(([, step]) => step.ms));
  $("steps").replaceChildren(...rows.map(([name, step]) => rowOf(name, step, longest)));
}

const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

function rowOf(name, { ms, calls }, longest) {
  const bar = h("span", { className: "length" });
  bar.style.width = `${(100 * ms) / longest}%`;
  return h("tr", {},
    h("th", { scope: "row", textContent: name }),
    h("td", { className: "bar-cell" }, bar),
    h("td", { className: "number", textContent: `${ms.toFixed(1)} ms` }),
    h("td", { className: "small", textContent: calls === 1 ? "" : `× ${calls}` }));
}
