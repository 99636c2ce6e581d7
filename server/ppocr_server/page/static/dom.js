// Elements, messages and the clipboard.

import { t } from "./texts.js";

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// An element with properties and children; a property with a dash, or of SVG, is an attribute.
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || node.namespaceURI === SVG || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function icon(path) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}

export const ICONS = {
  copy: "M8 10a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2zM16 8V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v8a2 2 0 0 0 2 2h2",
  done: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6 6 18",
};

// Said to those who listen.
export function announce(text) {
  $("live").textContent = text;
}

// Said at once, and to those who look as well, unless they see it elsewhere.
export function alarm(text, shown = true) {
  $("alert").textContent = text;
  if (shown) toast(text, true);
}

let hiding = 0;

function toast(text, bad = false) {
  const node = $("toast");
  node.textContent = text;
  node.classList.toggle("bad", bad);
  node.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => node.classList.remove("shown"), bad ? 6000 : 1600);
}

export async function copy(text) {
  const copied = await write(text);
  if (copied) announce(t("copied"));
  if (copied) toast(t("copied"));
  else alarm(t("not-copied"));
  return copied;
}

// Browsers have a clipboard only for pages of this machine or over https; elsewhere the old way works.
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = h("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return copied;
  }
}
