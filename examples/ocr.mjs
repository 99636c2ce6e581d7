// Reads text from pictures through Triton's HTTP port; for Node 20 and browsers, without packages.
// The protocol is KServe v2 with its binary extension: JSON, followed by the bytes of the tensors.

const HEADER_LENGTH = "Inference-Header-Content-Length";

/**
 * Reads a picture.
 * @param {string} server such as "http://127.0.0.1:8000"
 * @param {Uint8Array} picture a JPEG, PNG, BMP, WebP or TIFF file
 * @param {object} options of this request, such as {drop_score: 0.9}
 * @returns {Promise<{text: string, score: number, box: number[][], boxScore: number}[]>} its lines
 *   in reading order; a box is four corners [x, y], clockwise from top-left
 */
export async function read(server, picture, options = {}) {
  // Fractions are sent as text: not every version of Triton accepts them as numbers.
  const parameters = Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      typeof value === "number" && !Number.isInteger(value) ? String(value) : value,
    ]),
  );
  const header = new TextEncoder().encode(
    JSON.stringify({
      inputs: [
        {
          name: "IMAGE",
          datatype: "BYTES",
          shape: [1],
          parameters: { binary_data_size: picture.length + 4 },
        },
      ],
      parameters: { ...parameters, binary_data_output: true },
    }),
  );
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, picture.length, true);
  const answer = await fetch(`${server}/v2/models/ocr/infer`, {
    method: "POST",
    headers: { [HEADER_LENGTH]: String(header.length), "Content-Type": "application/octet-stream" },
    body: new Blob([header, length.buffer, picture]),
  });
  const body = await answer.arrayBuffer();
  if (!answer.ok) {
    const said = new TextDecoder().decode(body).replace("in ensemble 'ocr', ", "");
    throw new Error(`HTTP ${answer.status}: ${said}`);
  }
  const { BOXES, TEXTS, SCORES, BOX_SCORES } = tensors(body, Number(answer.headers.get(HEADER_LENGTH)));
  return TEXTS.map((text, index) => ({
    text,
    score: SCORES[index],
    box: [0, 2, 4, 6].map((at) => [BOXES[8 * index + at], BOXES[8 * index + at + 1]]),
    boxScore: BOX_SCORES[index],
  }));
}

/** The tensors of an answer by name, as flat lists; its JSON has `end` bytes. */
function tensors(body, end) {
  const header = JSON.parse(new TextDecoder().decode(body.slice(0, end)));
  const found = {};
  for (const { name, datatype, parameters } of header.outputs) {
    const view = new DataView(body, end, parameters.binary_data_size);
    found[name] = datatype === "BYTES" ? texts(view) : floats(view);
    end += parameters.binary_data_size;
  }
  return found;
}

function floats(view) {
  return Array.from({ length: view.byteLength / 4 }, (_, index) => view.getFloat32(4 * index, true));
}

/** Each text is its length in four bytes, followed by its UTF-8 bytes. */
function texts(view) {
  const found = [];
  for (let at = 0; at < view.byteLength; ) {
    const length = view.getUint32(at, true);
    found.push(new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, length)));
    at += 4 + length;
  }
  return found;
}
