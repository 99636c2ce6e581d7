// The documents beside the picture, a small picture for each page.

import { $, h, icon, ICONS } from "./dom.js";
import { thumbnailOf } from "./server.js";
import { t } from "./texts.js";

// A page's state in words.
export function standing(page) {
  if (page.state === "done") return lineCount(page.result);
  return t(page.state);
}

export function lineCount(result) {
  return result.lines.length === 1 ? t("line") : t("lines", { n: result.lines.length });
}

// Make a document's entry; `show` and `remove` are called for it.
export function addEntry(document_, { show, remove }) {
  const button = h("button", {
    className: "quiet square", "aria-label": t("remove", { name: document_.name }), onclick: () => remove(document_),
  }, icon(ICONS.close));
  document_.list = h("ol", {});
  document_.entry = h("section", { className: "document" },
    h("div", { className: "head" }, h("h3", { textContent: document_.name, title: document_.name }), button), document_.list);
  document_.show = show;
  $("documents").append(document_.entry);
  updateEntry(document_);
}

// Make entries for the pages, once it is known how many there are.
export function updateEntry(document_) {
  const single = document_.pages.length === 1;
  document_.entry.classList.toggle("single", single);
  document_.list.replaceChildren(...document_.pages.map((page) => {
    const thumbnail = h("span", { className: "thumbnail" });
    if (document_.pictured && document_.key) {
      thumbnail.append(h("img", { src: thumbnailOf(document_.key, page.number), alt: "", loading: "lazy", onerror: (event) => event.target.remove() }));
    }
    page.note = h("span", { className: "note" });
    page.button = h("button", { className: "page", title: document_.name, onclick: () => document_.show(page) }, thumbnail,
      h("span", { className: "label" }, h("span", { className: "name", textContent: single ? document_.name : t("page-short", { n: page.number }) }), page.note));
    updatePage(page);
    return h("li", {}, page.button);
  }));
}

export function updatePage(page) {
  page.note.textContent = standing(page);
  page.button.dataset.state = page.state;
}

export function markCurrent(page, pages) {
  for (const each of pages) {
    if (each === page) each.button.setAttribute("aria-current", "page");
    else each.button.removeAttribute("aria-current");
  }
  page.button.scrollIntoView({ block: "nearest", inline: "nearest" });
}
