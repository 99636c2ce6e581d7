// node examples/read.mjs http://127.0.0.1:8000 photo.jpg [drop_score=0.9 …]

import { readFile } from "node:fs/promises";

import { read } from "./ocr.mjs";

const [server, path, ...words] = process.argv.slice(2);
const options = Object.fromEntries(words.map((word) => word.split("=", 2)));
for (const line of await read(server, await readFile(path), options)) {
  console.log(`${line.text}\t${line.score.toFixed(3)}\t${line.box.join(" ")}`);
}
