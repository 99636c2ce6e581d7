"""The words that rendered pages are made of.

Everyday Chinese and English written for this project, so that nothing is quoted from anywhere. All
characters are in the PP-OCRv4 Chinese dictionary (`tests/converters/test_render.py` checks that).
"""

from __future__ import annotations

import random

CHINESE = (
    "春天的公园里游客很多，孩子们在湖边放风筝。",
    "请各位同学带好借书证，周五下午到图书馆集合。",
    "本店新到一批手工陶瓷，欢迎选购。",
    "由于台风影响，部分列车停运，请留意车站公告。",
    "医生建议每天步行半小时，少吃油腻食物。",
    "会议改到三楼报告厅，请提前十分钟签到。",
    "这座石桥建于清代，是城里最古老的建筑之一。",
    "工程师正在检查设备的温度和压力。",
    "雨后的山路很滑，登山时务必注意安全。",
    "妈妈买了西红柿、黄瓜和两斤牛肉。",
    "银行柜台办理业务请先取号，耐心等待。",
    "他从南方来到北方，第一次看见大雪。",
    "开放时间：每周二至周日，法定节假日除外。",
    "严禁烟火",
    "小心地滑",
    "注意保暖，预防感冒",
    "货物如有破损，请当场拒收并联系客服。",
    "学校食堂今天供应红烧鱼和青菜豆腐汤。",
    "乘坐电梯时请勿倚靠门扇",
    "保持安静，手机调至静音",
    "展览介绍了丝绸之路沿线的城市与商队。",
    "夜晚的街道灯火通明，行人来来往往。",
    "合同一式两份，甲乙双方各执一份。",
    "请在虚线处签字并注明日期",
    "蓝色按钮用于启动，红色按钮用于紧急停止。",
    "新鲜牛奶需要冷藏保存，开封后尽快饮用。",
    "机场快线每隔十五分钟发一班车",
    "爷爷喜欢下象棋，奶奶喜欢养花。",
    "草莓蛋糕",
    "停车场入口",
    "消防通道禁止占用",
    "订单已经发货，预计明天送达。",
    "数学、物理与化学成绩均有提高",
    "请勿投喂动物",
    "老城区的茶馆里坐满了听评书的人。",
    "质量检验合格",
)

ENGLISH = (
    "The train leaves from platform four at noon",
    "Please keep this receipt for your records",
    "Fresh bread baked every morning",
    "Open daily except public holidays",
    "Handle with care, contents are fragile",
    "Thank you for visiting our museum",
    "A quiet garden behind the old library",
    "Report any damage within seven days",
    "Winter coats and gloves are on sale",
    "Meeting notes from Monday afternoon",
    "Check the oil level before starting",
    "Our office has moved to the third floor",
    "Two tickets for the evening concert",
    "Store in a cool and dry place",
    "Emergency exit only",
    "Wash hands before cooking",
    "River walk and picnic area",
    "Invoice for consulting services",
    "Batteries not included",
    "Please ring the bell",
)

ALPHANUMERIC = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def random_line(rng: random.Random) -> str:
    """One line of random text: a Chinese or English phrase, or something with digits."""
    kind = rng.choices(("chinese", "english", "number"), weights=(6, 3, 3))[0]
    if kind == "chinese":
        return rng.choice(CHINESE)
    if kind == "english":
        return rng.choice(ENGLISH)
    return random_number(rng)


def random_number(rng: random.Random) -> str:
    """One line with digits in it: a date, time, price, telephone number, code or measurement."""
    day = f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    code = "".join(rng.choices(ALPHANUMERIC, k=rng.randint(6, 12)))
    return rng.choice(
        (
            day,
            f"{rng.randint(6, 22):02d}:{rng.randint(0, 59):02d}",
            f"合计：{rng.randint(1, 9999)}.{rng.randint(0, 99):02d}元",
            f"电话：0{rng.randint(10, 99)}-{rng.randint(20000000, 89999999)}",
            f"No.{code}",
            f"编号{code}",
            f"{rng.randint(1, 99)}.{rng.randint(0, 9)}%",
            f"共{rng.randint(2, 300)}页",
            f"{rng.randint(100, 999)}kg",
            f"第{rng.randint(1, 40)}号楼{rng.randint(101, 2809)}室",
        )
    )


def random_word(rng: random.Random) -> str:
    """Two to six characters that fit into one small cell of a dense page."""
    if rng.random() < 0.5:
        return str(rng.randint(10, 99999))
    phrase = rng.choice([line for line in CHINESE if line.isalpha()])
    length = min(len(phrase), rng.randint(2, 4))
    start = rng.randint(0, len(phrase) - length)
    return phrase[start : start + length]
