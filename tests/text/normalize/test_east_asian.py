"""What Chinese, Japanese and Korean readers do beyond the tables of pairs."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]

from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.normalize.east_asian.shared import fold
from realtime.text.normalize.japanese.words import letters
from tests.text.normalize.pairs import check_sources, pairs, read

LANGUAGES = ("zh", "ja", "ko")
#: Pieces of which the rules are fond, so that odd neighbours meet often.
PIECES = st.sampled_from(
    [
        *"0123456789 .,:;-~/%$#&@+=()°年月日時点个人円第년월일시개명원번만万億亿〜￥\uff05：\uff11",
        *(
            "2024",
            "12",
            "\uff11\uff12",
            "km/h",
            "℃",
            "www.a.com",
            "US$",
            "GPT",
            "电话",
            "電話",
            "전화",
            "\u2014",
            "\uff05p",
            "公元前",
        ),
    ]
)


def of(language: str) -> Reader:
    found = reader(language)
    assert found is not None
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=200)
@given(text=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_is_read_with_its_sources(language: str, text: str) -> None:
    said = read(text, language)
    check_sources(text, said)
    assert len(said.text) <= 20 * len(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        "9" * 400,
        "\uff19" * 400,
        "1," * 2000,
        "1-" * 2000,
        "1/" * 2000,
        "$" * 2000,
        "12:" * 500,
        "a.b" * 500,
        "a." * 500 + "@" * 500,
        "http://" * 300,
        "2024-" * 300,
        "(" * 10_000,
        "1.1" * 1000,
    ],
)
def test_endless_text_is_read(language: str, text: str) -> None:
    said = read(text, language)
    check_sources(text, said)
    assert len(said.text) <= 20 * len(text)


@pytest.mark.parametrize("language", ["zh", "ko"])
@given(text=st.lists(PIECES, max_size=25).map("".join))
def test_rules_change_no_text_that_is_spoken_already(language: str, text: str) -> None:
    """Han characters and hangul have no digits or signs in them, so a second pass has nothing to do."""
    once = "".join(character for character in read(text, language).text if not character.isascii())
    assert read(once, language).text == once


@given(text=st.text())
def test_widths_are_folded_in_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_are_large_enough(language: str) -> None:
    assert len(pairs(language)) >= 40


def value_of(said: str) -> int:
    """The value of a Chinese number in characters; written apart from the code under test."""
    digits = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2}
    total = section = digit = 0
    for character in said:
        if character in digits:
            digit = digits[character]
        elif character in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
        elif character == "万":
            total += (section + digit) * 10_000
            section = digit = 0
        else:  # 亿 counts all that was said before
            total = (total + section + digit) * 10**8
            section = digit = 0
    return total + section + digit


@given(value=st.one_of(st.integers(0, 99_999), st.integers(0, 10**15 - 1)))
def test_chinese_numbers_have_their_value(value: int) -> None:
    said = of("zh").cardinal(str(value))
    assert value_of(said) == value
    assert "零零" not in said and (value == 0 or not said.endswith("零"))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("0", "零"),
        ("10", "十"),
        ("15", "十五"),
        ("110", "一百一十"),
        ("101", "一百零一"),
        ("1001", "一千零一"),
        ("2002", "两千零二"),
        ("22222", "两万二千二百二十二"),
        ("100000", "十万"),
        ("100000001", "一亿零一"),
        ("1000000000000", "一万亿"),
        ("007", "零零七"),
        ("-3", "负三"),
        ("1" * 17, "一" * 17),
    ],
)
def test_chinese_cardinals(number: str, said: str) -> None:
    assert of("zh").cardinal(number) == said


@given(value=st.one_of(st.integers(0, 99_999), st.integers(0, 10**12 - 1)))
def test_japanese_numbers_agree_with_num2words(value: int) -> None:
    hiragana = num2words(value, lang="ja", reading=True)
    expected = re.sub("[\u3041-\u3096]", lambda match: chr(ord(match.group()) + 0x60), hiragana)
    expected = expected.replace("ジュウ", "ジュー").replace("キュウ", "キュー")
    if (
        value // 10**8 == 1000
    ):  # a thousand has its "one" before a larger unit: num2words has it for 10**7 alone
        expected = f"イッ{expected}"
    assert of("ja").cardinal(str(value)) == expected


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("0", "ゼロ"),
        ("300", "サンビャク"),
        ("8600", "ハッセンロッピャク"),
        ("3014", "サンゼンジューヨン"),
        ("10000000", "イッセンマン"),
        ("1000000000000", "イッチョー"),
        ("10000000000000", "ジュッチョー"),
        ("-5", "マイナスゴ"),
        ("090", "ゼロキューゼロ"),
    ],
)
def test_japanese_cardinals(number: str, said: str) -> None:
    assert of("ja").cardinal(number) == said


DAYS = (
    "ツイタチ フツカ ミッカ ヨッカ イツカ ムイカ ナノカ ヨーカ ココノカ トーカ ジューイチニチ ジューニニチ "
    "ジューサンニチ ジューヨッカ ジューゴニチ ジューロクニチ ジューシチニチ ジューハチニチ ジュークニチ "
    "ハツカ"
).split()


@pytest.mark.parametrize(("day", "said"), list(enumerate(DAYS, 1)))
def test_japanese_days(day: int, said: str) -> None:
    assert read(f"2024-05-{day:02}", "ja").text == f"ニセンニジューヨネン ゴガツ {said}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0:00", "レージ"),
        ("4:01", "ヨジ イップン"),
        ("7:10", "シチジ ジュップン"),
        ("9:48", "クジ ヨンジューハップン"),
        ("14:03", "ジューヨジ サンプン"),
        ("19:20", "ジュークジ ニジュップン"),
        ("24:00", "ニジューヨジ"),
        ("1:02:03", "イチジ ニフン サンビョー"),
    ],
)
def test_japanese_times(written: str, said: str) -> None:
    assert read(written, "ja").text == said


@given(
    text=st.lists(PIECES.filter(lambda piece: not re.search("[\u4e00-\u9fff]", piece)), max_size=25).map(
        "".join
    )
)
def test_japanese_reading_brings_in_no_kanji(text: str) -> None:
    """A voice reads kana only, and must not meet kanji that the text does not have."""
    assert not re.search("[\u4e00-\u9fff]", read(text, "ja").text)


@pytest.mark.parametrize(
    "text",
    [
        "2人で3本、1つだけ。",
        "20日は10時10分から。",
        "1.5倍、3.5万円。",
        "第5章の2番目。",
        "1990年代の24時間。",
        "100円が8匹。",
    ],
)
def test_what_the_japanese_dictionary_reads_is_left(text: str) -> None:
    assert of("ja").edits(text) == []


@pytest.mark.parametrize("month", range(1, 13))
def test_korean_months(month: int) -> None:
    names = "일월 이월 삼월 사월 오월 유월 칠월 팔월 구월 시월 십일월 십이월".split()
    assert read(f"{month}월", "ko").text == names[month - 1]
    assert read(f"2024-{month:02}-01", "ko").text == f"이천이십사년 {names[month - 1]} 일일"


@pytest.mark.parametrize(
    ("hour", "said"),
    list(enumerate("영 한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두 십삼 십사".split())),
)
def test_korean_hours(hour: int, said: str) -> None:
    assert read(f"{hour}시", "ko").text == f"{said} 시"
    assert read(f"{hour}:05", "ko").text == f"{said} 시 오분"


@pytest.mark.parametrize("text", ["3번 읽었다.", "3장을 보세요.", "2대입니다."])
def test_korean_counters_with_two_meanings_keep_their_digits(text: str) -> None:
    assert of("ko").edits(text) == []


@pytest.mark.parametrize(
    ("language", "ordinal"), [("zh", "第十二"), ("ja", "ジューニバンメ"), ("ko", "열두 번째")]
)
def test_ordinals(language: str, ordinal: str) -> None:
    assert of(language).ordinal("12") == ordinal


def test_the_first_in_korean() -> None:
    assert of("ko").ordinal("1") == "첫 번째"
    assert of("ko").ordinal("1234") == "천이백삼십사 번째"


@pytest.mark.parametrize(
    ("language", "said"),
    [("zh", "诶 I 五 点 杠"), ("ja", "エー アイ ゴー ドット ハイフン"), ("ko", "에이 아이 오 점 하이픈")],
)
def test_spelling(language: str, said: str) -> None:
    assert of(language).spell("aI 5.-") == said


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("zh", "2024-01-15", ["2024-", "01-", "15"]),
        ("zh", "2024年1月5日", ["2024", "1", "5"]),
        ("zh", "10~20%", ["10~", "20%"]),
        ("ja", "2024/1/5", ["2024/", "1/", "5"]),
        ("ja", "9:00〜17:30", ["9:00〜", "17:30"]),
        ("ko", "5~10개", ["5~", "10"]),
        ("ko", "2024. 1. 5.에", ["2024. ", "1. ", "5."]),
    ],
)
def test_parts_of_a_date_or_range_have_sources_of_their_own(
    language: str, text: str, words: list[str]
) -> None:
    assert [text[edit.start : edit.end] for edit in of(language).edits(text)] == words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text", ["snake_case", "ABC", "PDF", "--", "10/", "24/", "#", "\uff03", "、。！？", "-", "%"]
)
def test_what_is_not_sure_stays(language: str, text: str) -> None:
    assert not [edit for edit in of(language).edits(text) if not text[edit.start].isdigit()]


def test_a_final_full_stop_is_no_part_of_an_address() -> None:
    assert read("访问https://a.com/be.", "zh").text == "访问a点com斜杠be."
    assert read("a.com.", "ja").text == "エードットcom."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("14:30に", "ジューヨジ サンジュップンに"),
        ("14:30に会う", "14時30分に会う"),
        ("会う、14:30に", "会う、14時30分に"),
        ("¥500です", "500エンです"),
        ("¥500の本", "500円の本"),
        ("25℃です", "25ドです"),
        ("気温25℃", "気温25度"),
        ("0:30に会う", "レージ30分に会う"),  # the dictionary says ゼロジ
        ("4F", "4カイ"),
        ("会議室は4F", "会議室は4階"),
    ],
)
def test_japanese_is_written_in_kanji_only_beside_kanji(written: str, said: str) -> None:
    assert read(written, "ja").text == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("A案", "エー案"),
        ("HTTPとAWS", "エイチティーティーピーとエーダブリューエス"),
        ("PDFをGitHubに", "PDFをギットハブに"),
        ("5Gと4KとA4", "5Gと4KとA4"),
        ("C++とC#", "シープラスプラスとシーシャープ"),
        ("Ctrl+C", "コントロールプラスシー"),
        ("1+1=2", "1タス1イコール2"),
    ],
)
def test_latin_letters_that_the_japanese_dictionary_skips(written: str, said: str) -> None:
    assert read(written, "ja").text == said


def test_the_names_of_latin_letters() -> None:
    """Every letter has a name of its own, and what becomes katakana has no letter left."""
    names = {letters(letter) for letter in string.ascii_uppercase}
    assert len(names) == 26
    assert not any(re.search("[A-Za-z]", name) for name in names)


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("zh", "1. 打开设置", "一、打开设置"),
        ("zh", "2) 点击", "二、点击"),
        ("zh", "3.打开", "三、打开"),
        ("zh", "① 打开", "一、打开"),
        ("zh", "1.5倍", "一点五倍"),
        ("ja", "1. 設定", "1、設定"),
        ("ja", "①から", "1から"),
        ("ko", "1. 설정", "일, 설정"),
        ("ko", "①과", "일과"),
    ],
)
def test_numbers_of_points_in_a_list_are_followed_by_a_pause(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("zh", "血压120/80mmHg", "血压一百二十，八十毫米汞柱"),
        ("ja", "血圧120/80", "血圧120の80"),
        ("ko", "혈압 120/80", "혈압 백이십에 팔십"),
        ("zh", "2h15min", "两小时十五分钟"),
        ("ko", "2h15min", "두 시간 십오분"),
        ("zh", "比分25-18、18-25", "比分二十五比十八、十八比二十五"),
        ("zh", "18-25岁", "十八到二十五岁"),
        ("ko", "1:00 PM", "오후 한 시"),
        ("zh", "9:05 am", "上午九点零五分"),
        ("ja", "会議は1:00 PM", "会議は午後1時"),
        ("zh", "x²", "x的平方"),
        ("zh", "5 - 3 = 2", "五减三等于二"),
    ],
)
def test_measures_and_sums(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said
