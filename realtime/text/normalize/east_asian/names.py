"""Names of units and currencies in Chinese, Japanese and Korean."""

from __future__ import annotations

import re

#: Name of each unit in Chinese, Japanese and Korean; speeds have a word before the number in the latter two.
UNITS: dict[str, tuple[str, str, str]] = {
    "km/h": ("公里每小时", "ジソク|キロメートル", "시속 |킬로미터"),
    "m/s": ("米每秒", "ビョーソク|メートル", "초속 |미터"),
    "mph": ("英里每小时", "ジソク|マイル", "시속 |마일"),
    "km": ("公里", "キロメートル", "킬로미터"),
    "cm": ("厘米", "センチメートル", "센티미터"),
    "mm": ("毫米", "ミリメートル", "밀리미터"),
    "nm": ("纳米", "ナノメートル", "나노미터"),
    "m": ("米", "メートル", "미터"),
    "km\u00b2": ("平方公里", "ヘーホーキロメートル", "제곱킬로미터"),
    "m\u00b2": ("平方米", "ヘーホーメートル", "제곱미터"),
    "m\u00b3": ("立方米", "リッポーメートル", "세제곱미터"),
    "kg": ("公斤", "キログラム", "킬로그램"),
    "mg": ("毫克", "ミリグラム", "밀리그램"),
    "g": ("克", "グラム", "그램"),
    "t": ("吨", "トン", "톤"),
    "mL": ("毫升", "ミリリットル", "밀리리터"),
    "L": ("升", "リットル", "리터"),
    "ha": ("公顷", "ヘクタール", "헥타르"),
    "ft": ("英尺", "フィート", "피트"),
    "lb": ("磅", "ポンド", "파운드"),
    "oz": ("盎司", "オンス", "온스"),
    "KB": ("KB", "キロバイト", "킬로바이트"),
    "MB": ("MB", "メガバイト", "메가바이트"),
    "GB": ("GB", "ギガバイト", "기가바이트"),
    "TB": ("TB", "テラバイト", "테라바이트"),
    "Hz": ("赫兹", "ヘルツ", "헤르츠"),
    "kHz": ("千赫", "キロヘルツ", "킬로헤르츠"),
    "MHz": ("兆赫", "メガヘルツ", "메가헤르츠"),
    "GHz": ("吉赫", "ギガヘルツ", "기가헤르츠"),
    "W": ("瓦", "ワット", "와트"),
    "kW": ("千瓦", "キロワット", "킬로와트"),
    "kWh": ("千瓦时", "キロワットジ", "킬로와트시"),
    "V": ("伏", "ボルト", "볼트"),
    "mAh": ("毫安时", "ミリアンペアアワー", "밀리암페어시"),
    "ms": ("毫秒", "ミリビョー", "밀리초"),
    "dB": ("分贝", "デシベル", "데시벨"),
    "px": ("像素", "ピクセル", "픽셀"),
    "kcal": ("千卡", "キロカロリー", "킬로칼로리"),
    "cc": ("CC", "シーシー", "시시"),
    "mmHg": ("毫米汞柱", "ミリメートルエイチジー", "밀리미터에이치지"),
    "\u03bcg": ("微克", "マイクログラム", "마이크로그램"),
    "\u03bcm": ("微米", "マイクロメートル", "마이크로미터"),
    "\u03bcg/m\u00b3": ("微克每立方米", "マイクログラムパーリッポーメートル", "마이크로그램 매 세제곱미터"),
    "mmol/L": ("毫摩尔每升", "ミリモルパーリットル", "밀리몰 매 리터"),
    "mg/dL": ("毫克每分升", "ミリグラムパーデシリットル", "밀리그램 매 데시리터"),
    "Mbps": ("兆比特每秒", "メガビーピーエス", "메가비피에스"),
    "Gbps": ("吉比特每秒", "ギガビーピーエス", "기가비피에스"),
    "kbps": ("千比特每秒", "キロビーピーエス", "킬로비피에스"),
    "fps": ("帧每秒", "エフピーエス", "에프피에스"),
    "rpm": ("转每分钟", "アールピーエム", "알피엠"),
    "h": ("小时", "ジカン", "시간"),
    "min": ("分钟", "フン", "분"),
    "cal": ("卡", "カロリー", "칼로리"),
}
_OTHER_UNITS = {
    "\u339e": "km",
    "\u339d": "cm",
    "\u339c": "mm",
    "\u338f": "kg",
    "\u338e": "mg",
    "\u33a1": "m\u00b2",
    "\u33a2": "km\u00b2",
    "\u33a5": "m\u00b3",
    "\u3396": "mL",
    "\u2113": "L",
    "\u00b5g": "\u03bcg",
    "\u00b5m": "\u03bcm",
    "\u00b5g/m\u00b3": "\u03bcg/m\u00b3",
    "m2": "m\u00b2",
    "km2": "km\u00b2",
    "m3": "m\u00b3",
    "ml": "mL",
    "l": "L",
    "Kg": "kg",
    "KG": "kg",
    "KM": "km",
    "kB": "KB",
    "kph": "km/h",
}
#: What may stand for a unit after a number, the longest first.
UNIT_SIGNS = (
    "(?:"
    + "|".join(re.escape(sign) for sign in sorted([*UNITS, *_OTHER_UNITS], key=len, reverse=True))
    + ")(?![A-Za-z0-9\u00b2\u00b3/])"
)

#: Name of each currency in Chinese, Japanese and Korean.
MONEY: dict[str, tuple[str, str, str]] = {
    "$": ("美元", "ドル", "달러"),
    "US$": ("美元", "ドル", "달러"),
    "HK$": ("港元", "ホンコンドル", "홍콩달러"),
    "NT$": ("新台币", "タイワンドル", "대만달러"),
    "\u20ac": ("欧元", "ユーロ", "유로"),
    "\u00a3": ("英镑", "ポンド", "파운드"),
    "\u00a5": ("元", "エン", "엔"),
    "\u20a9": ("韩元", "ウォン", "원"),
    "\u20b9": ("卢比", "ルピー", "루피"),
    "\u20bd": ("卢布", "ルーブル", "루블"),
    "\u0e3f": ("泰铢", "バーツ", "바트"),
    "USD": ("美元", "ドル", "달러"),
    "EUR": ("欧元", "ユーロ", "유로"),
    "GBP": ("英镑", "ポンド", "파운드"),
    "CNY": ("人民币", "ジンミンゲン", "위안"),
    "RMB": ("人民币", "ジンミンゲン", "위안"),
    "JPY": ("日元", "エン", "엔"),
    "KRW": ("韩元", "ウォン", "원"),
}
#: What may stand before a sum, or after it.
MONEY_SIGNS = "(?:" + "|".join(re.escape(sign) for sign in sorted(MONEY, key=len, reverse=True)) + ")"
#: The last characters of these: one of them is in every text with a sum.
MONEY_NEEDS = "".join(sorted({sign[-1] for sign in MONEY}))
#: Powers of ten of the letters and words after a sum: "$5M".
SCALES = {"K": 3, "k": 3, "M": 6, "B": 9, "T": 12, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}


def name(unit: str, language: int) -> str:
    """A unit's name; `language` is 0 for Chinese, 1 Japanese, 2 Korean. A "|" stands for the number."""
    return UNITS[_OTHER_UNITS.get(unit, unit)][language]


def unit_or_currency(sign: str, language: int) -> str:
    """The name of what stands behind a number, see `name`."""
    return MONEY[sign][language] if sign in MONEY else name(sign, language)
