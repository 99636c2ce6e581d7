// The page as a whole: its documents, the page that is shown, and what is read next.

import { $, alarm, announce, copy, h } from "./dom.js";
import { addEntry, lineCount, markCurrent, standing, updateEntry, updatePage } from "./documents.js";
import { isReadable } from "./filetypes.js";
import { showLines } from "./lines.js";
import { buildOptions } from "./options.js";
import * as server from "./server.js";
import { errorText, t, translatePage } from "./texts.js";
import { showTiming } from "./timing.js";
import { showPicture } from "./view.js";

const documents = []; // each { name, file, key, pages, pictured }, in the order they came
const ASK_AGAIN = 5000; // milliseconds until a server that is not ready is asked again
const MB = 2 ** 20;
let current = null, options = {}, usual = {}, limit = Infinity, working = false;

const allPages = () => documents.flatMap((each) => each.pages);

// A document's pages have a state: opening, waiting, reading, done or failed.
function newPage(owner, number, state) {
  return { owner, number, state, result: null, error: null };
}

async function add(files) {
  const accepted = await Promise.all(files.map(accepts));
  const added = files.filter((_, index) => accepted[index]).map((file) => {
    const owner = { name: nameOf(file), file, key: null, pages: [], pictured: false };
    owner.pages.push(newPage(owner, 1, "opening"));
    documents.push(owner);
    addEntry(owner, { show, remove });
    return owner;
  });
  if (!added.length) return;
  arrange();
  show(added[0].pages[0]);
  work();
}

const nameOf = (file) => file.name || t("pasted");

// Whether a file may be uploaded; says why not.
async function accepts(file) {
  const name = nameOf(file);
  if (file.size > limit) alarm(t("too-large", { name, size: Math.ceil(file.size / MB), limit: limit / MB }));
  else if (!(await isReadable(file))) alarm(t("unsupported", { name }));
  else return true;
  return false;
}

// Open and read one page at a time, the shown one first, so that each has its own timing.
async function work() {
  if (working) return;
  working = true;
  for (let page = nextPage(); page; page = nextPage()) {
    await (page.state === "opening" ? open(page) : read(page));
    if (page.state === "failed") refreshServer();
  }
  working = false;
}

function nextPage() {
  const wanted = allPages().filter((page) => page.state === "opening" || page.state === "waiting");
  return wanted.includes(current) ? current : wanted[0];
}

async function open(page) {
  const { owner } = page;
  try {
    const { key, pages, pictured } = await server.send(owner.file, owner.name);
    Object.assign(owner, { key, pictured });
    if (!documents.includes(owner)) server.forget(key);
    page.state = "waiting";
    owner.pages = [page, ...Array.from({ length: pages - 1 }, (_, index) => newPage(owner, index + 2, "waiting"))];
    updateEntry(owner);
    arrange();
  } catch (error) {
    fail(page, error);
  }
  update(page);
}

async function read(page) {
  page.state = "reading";
  update(page);
  try {
    page.result = await server.read(page.owner.key, page.number, { ...usual, ...options });
    page.state = "done";
    if (page === current) announce(t("announce", { name: page.owner.name, page: t("page-short", { n: page.number }), lines: lineCount(page.result) }));
  } catch (error) {
    if (error.status === 410) page.owner.key = null; // deleted by the page's server: upload it again
    fail(page, error);
  }
  update(page);
}

function fail(page, error) {
  if (!(error instanceof server.Failure)) throw error;
  // What the server refuses (4xx) it refuses again, but a deleted document can be sent once more.
  const passing = !(error.status < 500) || error.status === 410;
  Object.assign(page, { state: "failed", error: error.message, passing });
  // The shown page has the reason on it.
  alarm(t("announce-failed", { name: page.owner.name, reason: error.message }), page !== current);
}

// Read a document's pages again, uploading it first if necessary.
function readAgain(pages) {
  for (const page of pages) {
    if (page.state === "opening" || page.state === "reading") continue;
    Object.assign(page, { state: page.owner.key ? "waiting" : "opening", result: null, error: null });
    update(page);
  }
  work();
}

function remove(owner) {
  const at = documents.indexOf(owner);
  documents.splice(at, 1);
  owner.entry.remove();
  for (const page of owner.pages) page.state = "removed";
  if (owner.key) server.forget(owner.key);
  if (current.owner === owner) show((documents[at] ?? documents.at(-1))?.pages[0] ?? null);
  arrange();
}

function show(page) {
  current = page;
  if (page) update(page);
}

function update(page) {
  if (page.state !== "removed") updatePage(page);
  if (page !== current) return;
  const { owner } = page, { length } = owner.pages;
  markCurrent(page, allPages());
  $("title").textContent = owner.name;
  $("title").title = owner.name;
  $("pager").hidden = length < 2;
  $("page-number").textContent = `${page.number} / ${length}`;
  $("previous").disabled = page.number === 1;
  $("next").disabled = page.number === length;
  showLines(page.result, showPicture(owner.pictured && owner.key ? server.pictureOf(owner.key, page.number) : null, page.result));
  showTiming(page.result);
  showState(page);
}

function showState(page) {
  const { state, result } = page, done = state === "done";
  $("count").textContent = standing(page);
  $("copy-all").disabled = !done || !result.lines.length;
  $("download").classList.toggle("disabled", !done);
  $("download").querySelector("summary").setAttribute("aria-disabled", String(!done));
  $("state").dataset.state = state;
  if (state === "failed") {
    const again = h("button", { textContent: t("again"), onclick: () => readAgain([page]) });
    $("state").replaceChildren(h("p", { textContent: page.error }), ...(page.passing ? [again] : []));
  } else if (done) {
    const said = [...(result.lines.length ? [] : [t("no-text")]), ...(result.warnings ?? []).map(errorText)];
    $("state").replaceChildren(...said.map((textContent) => h("p", { textContent })));
  } else {
    $("state").replaceChildren(...[80, 55, 70].map(() => h("span", { className: "ghost" })));
  }
}

// Show or hide the parts of the page.
function arrange() {
  const some = documents.length > 0;
  $("empty").hidden = some;
  $("work").hidden = $("add").hidden = !some;
  $("work").classList.toggle("alone", allPages().length === 1 && documents.length === 1);
}

function turn(by) {
  show(current.owner.pages[current.number - 1 + by]);
}

async function download(form) {
  $("download").open = false;
  try {
    const { name, blob } = await server.file(current.owner.key, form, current.number);
    const href = URL.createObjectURL(blob);
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
  } catch (error) {
    if (!(error instanceof server.Failure)) throw error;
    alarm(error.message);
  }
}

async function refreshServer() {
  const told = await server.about().catch((error) => ({ ready: false, error: error.message }));
  const node = $("server");
  node.dataset.ready = String(told.ready);
  node.title = told.error ?? told.url;
  node.querySelector(".what").textContent = `${told.server ?? told.url ?? ""} · ${t(told.ready ? "ready" : "not-ready")}`;
  if (!told.ready) setTimeout(refreshServer, ASK_AGAIN);
  return told;
}

async function begin() {
  translatePage();
  const told = await refreshServer();
  limit = told.max_bytes ?? Infinity;
  // Words are outlined where the pipeline can tell them.
  if (told.options?.some(({ name }) => name === "return_words")) usual = { return_words: true };
  $("where").textContent = told.url ? t("where", { url: told.url }) : "";
  buildOptions(told.options ?? [], (values) => {
    options = values;
    if (current) readAgain(current.owner.pages);
  });
  $("formats").replaceChildren(...(told.formats ?? []).map((form) => h("button", { textContent: t(`format-${form}`), onclick: () => download(form) })));
}

const choose = () => $("files").click();
$("add").onclick = $("choose").onclick = choose;
$("files").onchange = () => {
  add([...$("files").files]);
  $("files").value = "";
};
$("example").onclick = async () => add([new File([await server.example()], t("example-name"))]);
$("previous").onclick = () => turn(-1);
$("next").onclick = () => turn(1);
$("copy-all").onclick = () => copy(current.result.lines.map((line) => line.text).join("\n"));

$("download").addEventListener("click", (event) => {
  if ($("download").classList.contains("disabled")) event.preventDefault();
});
addEventListener("click", (event) => {
  if (!$("download").contains(event.target)) $("download").open = false;
});
$("download").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  $("download").open = false;
  $("download").querySelector("summary").focus();
});

addEventListener("paste", (event) => add([...event.clipboardData.files]));
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
let inside = 0;
addEventListener("dragenter", (event) => {
  if (carriesFiles(event)) $("dropping").hidden = ++inside < 1;
});
addEventListener("dragleave", (event) => {
  if (carriesFiles(event)) $("dropping").hidden = --inside < 1;
});
addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  inside = 0;
  $("dropping").hidden = true;
  add([...event.dataTransfer.files]);
});

begin();
