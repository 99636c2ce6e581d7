"""The fixed sample pictures: things that people really photograph and scan."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ppocr_converters.pictures.render_canvas import (
    Canvas,
    Colour,
    Page,
    Truth,
    add_grain,
    corners,
    gradient,
    tilt,
)

BLACK: Colour = (28, 28, 32)
WHITE: Colour = (255, 255, 255)
GREY: Colour = (96, 98, 104)


def samples() -> list[Page]:
    """The seven sample pictures, always the same."""
    return [
        poster(),
        receipt(),
        form(),
        tilted_notice(),
        vertical_sign(),
        turned_photo(),
        landscape(),
    ]


def poster() -> Page:
    """A fruit market's poster in Chinese, white on red and dark on yellow."""
    canvas = Canvas(gradient(720, 960, ((255, 243, 196), (255, 214, 128), (255, 190, 110))))
    pen = canvas.pen
    pen.rectangle((0, 0, 720, 236), (200, 36, 40))
    canvas.write(360, 96, "鲜果集市", 104, ink=(255, 244, 214), weight=2, anchor="mm")
    canvas.write(360, 192, "周末限时特惠，欢迎品尝", 38, ink=WHITE, anchor="mm")
    fruits: tuple[tuple[str, str, Colour], ...] = (
        ("红富士苹果", "每斤6.8元", (206, 44, 46)),
        ("海南香芒", "每斤9.9元", (248, 166, 32)),
        ("无籽葡萄", "每斤12.5元", (98, 52, 130)),
    )
    for i, (fruit, price, colour) in enumerate(fruits):
        y = 330 + 140 * i
        _fruit(pen, 120, y, colour)
        canvas.write(216, y, fruit, 46, ink=(92, 32, 20), face="serif", weight=1, anchor="lm")
        canvas.write(672, y, price, 38, ink=(190, 30, 36), weight=1, anchor="rm")
        pen.line((48, y + 70, 672, y + 70), (226, 150, 70), 2)
    pen.rounded_rectangle((48, 706, 672, 800), 24, (38, 120, 66))
    canvas.write(360, 752, "买三斤送一斤，满50元包邮", 42, ink=WHITE, anchor="mm")
    canvas.write(360, 850, "营业时间：早8点至晚9点", 32, ink=(84, 40, 24), anchor="mm")
    canvas.write(360, 910, "地址：人民路128号地铁站旁", 30, ink=(84, 40, 24), anchor="mm")
    canvas.picture = add_grain(canvas.picture, 1, 1.5)
    return canvas.page("poster_zh.jpg")


def receipt() -> Page:
    """A café's receipt in English, two columns, on a table."""
    canvas = Canvas(gradient(640, 900, ((122, 92, 70), (100, 74, 54))))
    _sheet(canvas, (80, 40, 560, 860), (251, 250, 246))
    canvas.write(320, 96, "The Corner Cafe", 44, face="serif", weight=1, anchor="mm")
    canvas.write(320, 146, "12 Apple Lane", 28, ink=GREY, anchor="mm")
    canvas.write(320, 184, "Tel.020-5550-0148", 24, ink=GREY, anchor="mm")
    items = (
        ("Fruit Salad", "4.20"),
        ("Lemon Tart", "3.50"),
        ("Almond Croissant", "3.90"),
        ("Tomato Soup", "6.75"),
        ("Orange Juice", "4.00"),
    )
    _rule(canvas.pen, 120, 520, 222)
    canvas.write(120, 258, "Your order", 26, anchor="lm")
    canvas.write(520, 258, "12:46", 26, anchor="rm")
    _rule(canvas.pen, 120, 520, 294)
    for i, (item, price) in enumerate(items):
        canvas.write(120, 336 + 54 * i, item, 28, anchor="lm")
        canvas.write(520, 336 + 54 * i, price, 28, anchor="rm")
    _rule(canvas.pen, 120, 520, 596)
    canvas.write(120, 642, "TOTAL", 36, weight=1, anchor="lm")
    canvas.write(520, 642, "$22.35", 36, weight=1, anchor="rm")
    canvas.write(120, 698, "Paid by card", 24, ink=GREY, anchor="lm")
    canvas.write(520, 698, "2024-05-17", 24, ink=GREY, anchor="rm")
    _rule(canvas.pen, 120, 520, 736)
    canvas.write(320, 784, "Thank you for coming!", 28, face="serif", anchor="mm")
    canvas.picture = add_grain(canvas.picture, 2, 2.0)
    return canvas.page("receipt_en.jpg")


def form() -> Page:
    """A delivery form with Chinese labels, English and digits in a table."""
    canvas = Canvas(Image.new("RGB", (960, 720), WHITE))
    canvas.write(60, 70, "快递运单", 48, weight=1, anchor="lm")
    canvas.write(900, 70, "Express Waybill", 40, anchor="rm")
    canvas.write(900, 132, "No.730155289046", 28, ink=(170, 30, 34), anchor="rm")
    rows = (
        ("寄件人", "王小明", "电话", "13800138000"),
        ("收件人", "Linda Zhao", "电话", "021-60885566"),
        ("物品名称", "电子配件", "数量", "25件"),
        ("重量", "3.75kg", "保价金额", "￥1200.00"),
        ("寄件日期", "2024-03-18", "运费", "￥18.50"),
    )
    edges = (60, 220, 500, 660, 900)
    pen = canvas.pen
    for i, row in enumerate(rows):
        top = 170 + 74 * i
        for left, right, text in zip(edges, edges[1:], row, strict=False):
            label = left in (60, 500)
            pen.rectangle((left, top, right, top + 74), (238, 242, 248) if label else WHITE, GREY)
            canvas.write(
                left + 20, top + 37, text, 28, ink=BLACK if label else (24, 52, 128), anchor="lm"
            )
    canvas.write(60, 590, "收件地址：上海市浦东新区世纪大道1088号6层", 28, ink=BLACK, anchor="lm")
    canvas.write(60, 652, "签收人签字", 28, ink=BLACK, anchor="lm")
    pen.line((230, 670, 470, 670), GREY, 2)
    canvas.write(900, 652, "请当面验收，谢谢合作", 26, ink=GREY, anchor="rm")
    return canvas.page("form_mixed.png")


def tilted_notice() -> Page:
    """A notice in Chinese and English that was photographed 8.5 degrees askew."""
    desk: Colour = (108, 122, 128)
    canvas = Canvas(Image.new("RGB", (800, 640), desk))
    _sheet(canvas, (20, 20, 780, 620), (253, 252, 247))
    canvas.pen.rectangle((38, 38, 762, 602), outline=(40, 84, 140), width=3)
    canvas.write(400, 112, "会议通知", 60, ink=(24, 60, 118), face="serif", weight=1, anchor="mm")
    body = (
        "时间：9月12日下午14:30",
        "地点：行政楼三层第二会议室",
        "议题：新产品试验结果与生产计划",
        "All members are invited",
        "office@example.com",
    )
    for i, text in enumerate(body):
        canvas.write(90, 210 + 66 * i, text, 34, anchor="lm")
    canvas.write(710, 558, "综合管理部", 30, ink=GREY, anchor="rm")
    canvas = tilt(canvas, 8.5, desk)
    canvas.picture = add_grain(canvas.picture, 3, 2.0)
    return canvas.page("notice_tilted.jpg")


def vertical_sign() -> Page:
    """Two tall shop signs, one with upright letters, one with letters on their side."""
    canvas = Canvas(gradient(620, 900, ((188, 174, 156), (150, 136, 120))))
    for y in range(0, 900, 60):
        canvas.pen.line((0, y, 620, y), (166, 152, 136), 2)
        for x in range((y // 60 % 2) * 60, 620, 120):
            canvas.pen.line((x, y, x, y + 60), (166, 152, 136), 2)
    _sheet(canvas, (110, 50, 270, 850), (112, 28, 26))
    canvas.write_down(190, 96, "清风茶馆欢迎您", 98, ink=(250, 214, 120), face="serif", weight=1)
    board = Canvas(Image.new("RGB", (800, 130), (26, 68, 58)))
    board.write(400, 64, "OPEN TODAY", 96, ink=WHITE, weight=1, anchor="mm")
    # On its side the text runs downwards: what was left is now the top.
    left, top = 400, 50
    _shadow(canvas, (left, top, left + 130, top + 800))
    canvas.picture.paste(board.picture.transpose(Image.Transpose.ROTATE_270), (left, top))
    canvas.lines += _turned_right(board, left, top)
    canvas.picture = add_grain(canvas.picture, 4, 2.0)
    return canvas.page("sign_vertical.jpg")


def turned_photo() -> Page:
    """A library's door plate; the file is stored on its side and says so in its EXIF data."""
    canvas = Canvas(gradient(800, 600, ((206, 220, 230), (158, 176, 190))))
    _sheet(canvas, (70, 60, 730, 540), (248, 250, 252))
    canvas.pen.rectangle((70, 60, 730, 168), (20, 82, 128))
    canvas.write(400, 114, "城南图书馆", 64, ink=WHITE, weight=1, anchor="mm")
    body = (
        ("周一至周五", "9:00-20:30"),
        ("周六、周日", "9:30-18:00"),
        ("儿童阅览室", "10:00-17:00"),
    )
    for i, (day, hours) in enumerate(body):
        canvas.write(120, 230 + 72 * i, day, 40, anchor="lm")
        canvas.write(680, 230 + 72 * i, hours, 40, ink=(20, 82, 128), anchor="rm")
    _rule(canvas.pen, 120, 680, 428)
    canvas.write(400, 464, "请保持安静，勿带食物入内", 36, anchor="mm")
    canvas.write(400, 512, "Quiet please", 28, ink=GREY, face="serif", anchor="mm")
    canvas.picture = add_grain(canvas.picture, 5, 2.0)
    return canvas.page("photo_exif.jpg", orientation=6)


def landscape() -> Page:
    """Hills, a lake and the sun, and nothing to read."""
    width, height = 900, 600
    canvas = Canvas(gradient(width, height, ((86, 140, 206), (196, 220, 238), (250, 226, 190))))
    pen = canvas.pen
    pen.ellipse((660, 90, 760, 190), (255, 244, 206))
    hills: tuple[tuple[int, int, float, Colour], ...] = (
        (330, 70, 0.009, (128, 152, 172)),
        (380, 56, 0.014, (92, 128, 120)),
        (430, 40, 0.011, (58, 100, 74)),
    )
    for base, swing, rate, colour in hills:
        ridge = [
            (x, base - swing * math.sin(rate * x + base) - 14 * math.sin(3.1 * rate * x))
            for x in range(0, width + 1, 4)
        ]
        pen.polygon([(0, height), *ridge, (width, height)], colour)
    canvas.picture.paste(gradient(width, 140, ((132, 172, 190), (74, 112, 140))), (0, 460))
    canvas.picture = add_grain(canvas.picture.filter(ImageFilter.GaussianBlur(1.2)), 6, 3.0)
    return canvas.page("landscape.jpg")


def _turned_right(board: Canvas, left: int, top: int) -> list[Truth]:
    """The board's lines after a quarter turn clockwise, placed at `left`, `top`."""
    height = board.picture.height

    def turn(box: np.ndarray) -> np.ndarray:
        (x0, y0), (x1, y1) = box[0], box[2]
        return corners(left + height - y1, top + x0, left + height - y0, top + x1)

    return [line.moved(turn) for line in board.lines]


def _sheet(canvas: Canvas, box: tuple[int, int, int, int], colour: Colour) -> None:
    """A sheet or board of one colour with a soft shadow under it."""
    _shadow(canvas, box)
    canvas.pen.rectangle(box, colour)


def _shadow(canvas: Canvas, box: tuple[int, int, int, int]) -> None:
    """A soft shadow, a little right of and below `box`."""
    shade = Image.new("L", canvas.picture.size, 0)
    left, top, right, bottom = box
    ImageDraw.Draw(shade).rectangle((left + 8, top + 12, right + 8, bottom + 12), 130)
    canvas.picture.paste((30, 24, 20), mask=shade.filter(ImageFilter.GaussianBlur(9)))


def _rule(pen: ImageDraw.ImageDraw, left: int, right: int, y: int) -> None:
    """A dashed line as on a receipt."""
    for x in range(left, right, 12):
        pen.line((x, y, min(x + 6, right), y), (150, 150, 150), 2)


def _fruit(pen: ImageDraw.ImageDraw, x: int, y: int, colour: Colour) -> None:
    """A round fruit with a stalk, a leaf and a highlight."""
    pen.line((x, y - 40, x + 6, y - 58), (96, 60, 30), 6)
    pen.ellipse((x + 4, y - 60, x + 40, y - 42), (70, 140, 58))
    pen.ellipse((x - 46, y - 44, x + 46, y + 48), colour)
    light: Colour = (min(255, colour[0] + 50), min(255, colour[1] + 50), min(255, colour[2] + 50))
    pen.ellipse((x - 28, y - 28, x - 6, y - 8), light)
