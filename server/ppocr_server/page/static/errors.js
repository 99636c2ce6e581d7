// The error messages and warnings of this project in Chinese; others stay as they are.

const CHINESE = [
  [/^cannot connect to (\S+): connection refused;.*/, "无法连接 $1：连接被拒绝。服务在运行吗？可用 ppocr-serve 启动。"],
  [/^cannot connect to (\S+): the host name cannot be resolved;.*/, "无法连接 $1：主机名无法解析。"],
  [/^cannot connect to (\S+): what answers there.*/, "无法连接 $1：那里应答的服务使用另一种协议。Triton 的 HTTP 端口默认为 8000，gRPC 端口默认为 8001。"],
  [/^what answers there is not Triton.*/, "那里应答的不是 Triton。Triton 的地址默认为 http://HOST:8000 或 grpc://HOST:8001。"],
  [/^cannot connect to (\S+): (.*?);.*/, "无法连接 $1：$2"],
  [/^no answer from (\S+) within (\S+) s$/, "$1 在 $2 秒内没有应答。"],
  [/Exceeds maximum queue size.*/, "服务繁忙，请稍后再试。"],
  [/^IMAGE cannot be decoded: it is the base64 text.*/, "无法解码：收到的是图片的 base64 文本，请发送文件本身的字节。"],
  [/^IMAGE cannot be decoded.*/, "无法解码：文件不是 JPEG、PNG、BMP、WebP 或 TIFF 图片，请转换为 PNG 或 JPEG。"],
  [/^IMAGE is a damaged or truncated (\w+).*/, "$1 文件已损坏或不完整，请提供完整的文件。"],
  [/^IMAGE .*max_image_(bytes|pixels|side)\D*(\d+).*/, "图片超过服务的上限 max_image_$1（$2）。"],
  [/^the PDF file needs a password.*/, "PDF 文件有密码，请先解密：qpdf --decrypt --password=… FILE NEW"],
  [/^cannot open the PDF file.*/, "无法打开 PDF 文件：文件已损坏，请提供完整的文件，或用 PDF 阅读器另存。"],
  [/^cannot draw page (\d+).*/, "无法绘制第 $1 页。"],
  [/^page (\d+) has (\d+) x (\d+) pixels at (\S+) dpi; allowed: (\d+).*/, "第 $1 页在 $4 dpi 下有 $2 × $3 像素，最多 $5；请减小 dpi。"],
  [/^cannot (show|draw) the picture.*/, "无法显示这张图片：文件已损坏。"],
  [/^cannot read page (\d+).*/, "无法读取第 $1 页。"],
  [/^the body has (\d+) bytes or more; allowed: (\d+); send less.*/, "文件太大（至少 $1 字节），最多 $2 字节：请分开发送，或以更大的 --max-body-mb 启动网关。"],
  [/^(.+) is empty$/, "$1 是空文件。"],
  [/^this document was deleted.*/, "此文档已被删除以腾出空间，请重新打开。"],
  [/^nothing of (.+) has been read$/, "$1 还没有识别结果。"],
  [/^page (\d+) of (.+) has not been read$/, "$2 的第 $1 页还没有识别结果。"],
  [/^(\w+) is (.+); allowed: (.+)$/, "$1 不能是 $2；允许：$3"],
  [/^(.+) needs? (\S+): (pip install .*)$/, "缺少软件包 $2：$3"],
  [/^the picture of (\S+) .* was read at (\S+), at which its letters are too small.*/, "图片（$1）以 $2 识别，字太小，而放大识别所需的块数超过 max_det_tiles，很可能缺少文字：请分块发送。"],
  [/^the picture of (\S+) .* was read at (\S+), squeezed (\S+) times.*/, "图片（$1）以 $2 识别，缩小了 $3 倍，可能缺少小字：请调大 det_limit_side_len，或分块发送。"],
  [/^the picture of (\S+) .* was read at (\S+), one side squeezed (\S+) times.*/, "图片（$1）以 $2 识别，一边比另一边多压缩 $3 倍，可能缺少文字：请给图片加边，或用 recognize 模型识别单行。"],
  [/^(\d+) of (\d+) lines are too wide .* up to (\S+) times.*/, "$2 行中有 $1 行对识别模型太宽，最多压缩 $3 倍，可能缺字：请分块发送图片。"],
  [/^no font with Chinese characters.*/, "没有找到中文字体：请用 --font 指定，或 pip install pylopdf-fonts-zh-cn"],
];

export function inChinese(message) {
  const found = CHINESE.find(([pattern]) => pattern.test(message));
  return found ? message.replace(...found) : message;
}
