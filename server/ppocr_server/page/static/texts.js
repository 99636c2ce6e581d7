// All texts of the page.

import { inChinese } from "./errors.js";

const EN = {
  "options": "Options", "add": "Add files", "choose": "Choose files", "example": "Try an example",
  "drop": "Drop pictures or PDF files here", "paste": "or paste one from the clipboard",
  "kinds": "JPEG, PNG, BMP, WebP, TIFF, PDF", "where": "Read by {url}; sent nowhere else", "release": "Drop to read",
  "documents": "Documents", "picture": "Picture", "text": "Text", "boxes-group": "Boxes",
  "previous": "Previous page", "next": "Next page", "page": "Page {n} of {count}", "page-short": "Page {n}",
  "boxes": "Show boxes", "smaller": "Smaller", "larger": "Larger", "fit": "Fit ({percent})",
  "copy-all": "Copy all", "copy-line": "Copy “{text}”", "copied": "Copied", "not-copied": "The browser does not let the page copy",
  "download": "Download", "lines": "{n} lines", "line": "1 line", "no-text": "No text was found.",
  "waiting": "Waiting", "reading": "Reading …", "opening": "Opening …", "failed": "Failed",
  "again": "Try again", "remove": "Remove {name}", "score": "score {score}",
  "announce": "{name}, {page}: {lines} read", "announce-failed": "{name} failed: {reason}",
  "ready": "ready", "not-ready": "not ready", "connecting": "connecting …",
  "read-in": "Read in {ms} ms", "steps-note": "Mean time of a call of each model, queueing included; a model that calls others includes their time.",
  "whole": "whole request",
  "options-note": "The server’s default applies to what is left empty.", "reset": "Reset", "apply": "Apply",
  "close": "Close", "default": "default", "yes": "yes", "no": "no", "range": "{help} ({low} – {high})",
  "too-large": "{name} has {size} MB; allowed: {limit} MB", "unsupported": "{name} is not a JPEG, PNG, BMP, WebP, TIFF or PDF file; convert it to one of them",
  "unseen": "The browser cannot show this picture.", "gone": "The page’s own server does not answer. Is it still running?",
  "pasted": "pasted picture", "example-name": "example.jpg",
  "format-lines": "Lines with corners", "format-text": "Text", "format-json": "JSON", "format-jsonl": "JSON lines",
  "format-markdown": "Markdown", "format-tsv": "Table (TSV)", "format-hocr": "hOCR", "format-alto": "ALTO XML", "format-pdf": "Searchable PDF", "format-drawn": "Drawing (PNG)",
};

const ZH = {
  "options": "选项", "add": "添加文件", "choose": "选择文件", "example": "试一个例子",
  "drop": "把图片或 PDF 拖到这里", "paste": "也可以直接粘贴剪贴板里的图片",
  "kinds": "JPEG、PNG、BMP、WebP、TIFF、PDF", "where": "由 {url} 识别，不会发往别处", "release": "松开即可识别",
  "documents": "文档", "picture": "图片", "text": "文字", "boxes-group": "文本框",
  "previous": "上一页", "next": "下一页", "page": "第 {n} 页，共 {count} 页", "page-short": "第 {n} 页",
  "boxes": "显示文本框", "smaller": "缩小", "larger": "放大", "fit": "适合窗口（{percent}）",
  "copy-all": "复制全部", "copy-line": "复制“{text}”", "copied": "已复制", "not-copied": "浏览器不允许本页复制",
  "download": "下载", "lines": "{n} 行", "line": "1 行", "no-text": "没有找到文字。",
  "waiting": "等待中", "reading": "识别中……", "opening": "打开中……", "failed": "失败",
  "again": "重试", "remove": "移除 {name}", "score": "置信度 {score}",
  "announce": "{name}，{page}：读出 {lines}", "announce-failed": "{name} 失败：{reason}",
  "ready": "就绪", "not-ready": "未就绪", "connecting": "连接中……",
  "read-in": "用时 {ms} 毫秒", "steps-note": "各模型一次调用的时间，含排队；调用其他模型的，含被调用者的时间。",
  "whole": "整个请求",
  "options-note": "留空的用服务的默认值。", "reset": "还原", "apply": "应用",
  "close": "关闭", "default": "默认", "yes": "是", "no": "否", "range": "{help}（{low} – {high}）",
  "too-large": "{name} 有 {size} MB；最多 {limit} MB", "unsupported": "{name} 不是 JPEG、PNG、BMP、WebP、TIFF 或 PDF 文件，请先转换",
  "unseen": "浏览器无法显示这张图片。", "gone": "本页的服务没有回应：它还在运行吗？",
  "pasted": "粘贴的图片", "example-name": "example.jpg",
  "format-lines": "逐行与坐标", "format-text": "纯文本", "format-json": "JSON", "format-jsonl": "JSON 行",
  "format-markdown": "Markdown", "format-tsv": "表格（TSV）", "format-hocr": "hOCR", "format-alto": "ALTO XML", "format-pdf": "可搜索的 PDF", "format-drawn": "标注图（PNG）",
};

// The options' names for people.
const EN_TITLES = {
  det_limit_side_len: "Side length for detection", det_limit_type: "Which side it limits",
  det_db_thresh: "Pixel threshold", det_db_box_thresh: "Box threshold", det_db_unclip_ratio: "Box expansion",
  det_db_unclip_mode: "How boxes expand", det_split_gap: "Gap between texts", det_db_score_mode: "Box score", use_dilation: "Thicken regions", orientation: "Turned pages", use_angle_cls: "Ask for every line",
  cls_thresh: "Upside-down threshold", drop_score: "Lowest line score", reading_order: "Reading order", rec_padding: "Line padding", reference: "Reference",
  reference_exact: "Reference’s faults", return_words: "Words",
};
const ZH_TITLES = {
  det_limit_side_len: "检测边长", det_limit_type: "限制哪一边",
  det_db_thresh: "像素阈值", det_db_box_thresh: "文本框阈值", det_db_unclip_ratio: "文本框外扩",
  det_db_unclip_mode: "外扩方式", det_split_gap: "文字间的空白", det_db_score_mode: "文本框得分", use_dilation: "加粗区域", orientation: "旋转的页面", use_angle_cls: "逐行判断方向",
  cls_thresh: "倒置阈值", drop_score: "最低行得分", reading_order: "阅读顺序", rec_padding: "行补边", reference: "参照",
  reference_exact: "参照的缺陷", return_words: "词",
};

// The options' meanings; in English the page's own server has them.
const ZH_OPTIONS = {
  det_limit_side_len: "检测前图片边长缩放到的大小",
  det_limit_type: "限制长边（max），字小或图片细长时分块检测（auto），放大短边（min），或固定长边（long）",
  det_db_thresh: "像素算作文字的概率下限",
  det_db_box_thresh: "文本框保留所需的平均概率",
  det_db_unclip_ratio: "文本框外扩的程度",
  det_db_unclip_mode: "与 PaddleOCR 相同地外扩（area），或按训练时的收缩量外扩（shape）",
  det_split_gap: "框内空白达到框高的这么多倍时在此断开，0 为不断开",
  det_db_score_mode: "框的得分取外接矩形（fast）或轮廓（slow）",
  use_dilation: "成框之前先加粗检测区域",
  orientation: "页面旋转的角度：不判断（off），由几行判断（lines），由专门的网络判断（page）",
  use_angle_cls: "与 PaddleOCR 相同，用方向分类器判断每一行",
  cls_thresh: "判定为倒置行的概率下限",
  drop_score: "置信度低于此值的行不返回",
  reading_order: "按版面阅读（page），或按参照的像素行（rows）",
  rec_padding: "逐行补边（crop），或按 PaddleOCR 的分组补边（paddle）",
  reference: "以谁的读法为准：PaddleOCR、Paddle Serving 的 OCR 示例，或 PaddleOCR 的 deploy/pdserving",
  return_words: "给出每行的词及其位置，中文和日文给出每个字符",
  reference_exact: "连参照的缺陷也复现：角点顺序、丢失的透明度",
};

const chinese = navigator.language.toLowerCase().startsWith("zh");
const texts = chinese ? ZH : EN;

export function t(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// IMAGE is Triton's name of what was sent.
export const errorText = (message) => (chinese ? inChinese(message) : message.replace(/^IMAGE\b/, "The picture"));

export const optionTitle = ({ name }) => (chinese ? ZH_TITLES : EN_TITLES)[name] ?? name;

export function optionHelp(option) {
  return (chinese && ZH_OPTIONS[option.name]) || option.help;
}

export function translatePage() {
  document.documentElement.lang = chinese ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel, { percent: "" }));
  }
}
