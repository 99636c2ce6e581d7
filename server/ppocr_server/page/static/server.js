// The HTTP API of the page's own server; see app.py.

import { errorText, t } from "./texts.js";

export class Failure extends Error {}

async function ask(path, init) {
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Failure(t("gone"));
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw Object.assign(new Failure(said.error ? errorText(said.error.message) : `HTTP ${answer.status}`), { status: answer.status });
}

const pagePath = (key, number) => `documents/${key}/pages/${number}`;

export const about = async () => (await ask("about")).json();

export const example = async () => (await ask("example.jpg")).blob();

export const send = async (file, name) =>
  (await ask(`documents?name=${encodeURIComponent(name)}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } })).json();

export const read = async (key, number, options) =>
  (await ask(`${pagePath(key, number)}/read`, { method: "POST", body: JSON.stringify(options), headers: { "Content-Type": "application/json" } })).json();

export const forget = (key) => ask(`documents/${key}`, { method: "DELETE" }).catch(() => null);

export const pictureOf = (key, number) => `${pagePath(key, number)}/picture`;

export const thumbnailOf = (key, number) => `${pagePath(key, number)}/picture?small`;

// A file in an output format, and its name.
export async function file(key, form, number) {
  const answer = await ask(`documents/${key}/files/${form}?page=${number}`);
  const name = decodeURIComponent(answer.headers.get("Content-Disposition").split("''")[1]);
  return { name, blob: await answer.blob() };
}
