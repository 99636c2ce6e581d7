// The file types that are read, known by how their files begin.

const HEAD = 1024; // bytes within which a PDF file's signature stands
const SIGNATURES = [
  /^\xff\xd8\xff/, /^\x89PNG\r\n\x1a\n/, /^BM/, /^RIFF[^]{4}WEBP/, /^(II\*\0|MM\0\*)/, /%PDF-/,
];

export async function isReadable(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const head = String.fromCharCode(...bytes);
  return SIGNATURES.some((signature) => signature.test(head));
}
