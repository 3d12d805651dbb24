"""Russian words that depend on case or gender: ordinals, days, places, rulers, what asks for a case."""

from __future__ import annotations

#: What has a number: nominative, genitive, dative, accusative, prepositional.
NUMBERED = {
    "стр.": "страница страницы странице страницу странице",
    "рис.": "рисунок рисунка рисунку рисунок рисунке",
    "табл.": "таблица таблицы таблице таблицу таблице",
    "ч.": "часть части части часть части",
    "каб.": "кабинет кабинета кабинету кабинет кабинете",
    "гл.": "глава главы главе главу главе",
    "п.": "пункт пункта пункту пункт пункте",
    "ст.": "статья статьи статье статью статье",
}
#: Places that are numbered, in the prepositional: masculine, neuter, feminine.
ORDINAL_PLACES = frozenset(
    "этаже подъезде классе курсе вагоне ряду томе разделе пункте канале километре уровне этапе туре сезоне "
    "квартале раунде".split()
)
NEUTER_PLACES = frozenset(("месте",))
FEMININE_PLACES = frozenset(
    "странице главе статье палате линии группе серии строке неделе минуте секунде платформе".split()
)
#: Nouns after Roman digits, with gender and case.
ROMAN_NOUNS = {
    **dict.fromkeys("квартал этап тур съезд раунд".split(), "mn"),
    **dict.fromkeys("квартала этапа тура съезда раунда".split(), "mg"),
    **dict.fromkeys("кварталу этапу".split(), "md"),
    **dict.fromkeys("квартале этапе туре съезде раунде".split(), "mp"),
    "место": "nn",
    "месте": "np",
    "мировая": "fn",
    "мировой": "fg",
    "мировую": "fa",
    "степени": "fg",
    "группы": "fg",
    "категории": "fg",
}
#: Places as abbreviations: nominative, after "в" and "на", after "из" and the like.
PLACES = {
    "ул.": ("улица", "улице", "улицы"),
    "г.": ("город", "городе", "города"),
    "с.": ("село", "селе", "села"),
    "пл.": ("площадь", "площади", "площади"),
    "просп.": ("проспект", "проспекте", "проспекта"),
    "пр.": ("проспект", "проспекте", "проспекта"),
}
#: Words after which a number is in the genitive.
GENITIVE = frozenset(
    "до от из около более менее свыше после без больше меньше порядка для среди старше младше выше ниже "
    "у дороже дешевле длиннее тяжелее легче моложе течение кроме вместо против".split()
)
#: Days of the week: the genitive, the accusative, the nominative.
WEEKDAYS = {
    "пн": ("понедельника", "понедельник", "понедельник"),
    "вт": ("вторника", "вторник", "вторник"),
    "ср": ("среды", "среду", "среда"),
    "чт": ("четверга", "четверг", "четверг"),
    "пт": ("пятницы", "пятницу", "пятница"),
    "сб": ("субботы", "субботу", "суббота"),
    "вс": ("воскресенья", "воскресенье", "воскресенье"),
}
#: What is written after the hyphen of an ordinal: gender, case, plural.
SUFFIXES = {
    "й": ("m", "n", False),
    "ый": ("m", "n", False),
    "ий": ("m", "n", False),
    "ой": ("m", "n", False),
    "я": ("f", "n", False),
    "ая": ("f", "n", False),
    "е": ("n", "n", False),
    "ое": ("n", "n", False),
    "ые": ("m", "n", True),
    "го": ("m", "g", False),
    "ого": ("m", "g", False),
    "му": ("m", "d", False),
    "ому": ("m", "d", False),
    "м": ("m", "p", False),
    "ом": ("m", "p", False),
    "ю": ("f", "a", False),
    "ую": ("f", "a", False),
    "х": ("m", "g", True),
    "ых": ("m", "g", True),
}
#: The endings of a ruler's name: the case.
ENDINGS = {"": "n", "й": "n", "а": "g", "я": "g", "у": "d", "ю": "d", "ом": "i", "ем": "i", "е": "p"}
ENDINGS_FEMALE = {"а": "n", "ы": "g", "е": "d", "у": "a", "ой": "i"}
#: Feminine nouns that do not end like one.
FEMININE = frozenset("дочь ночь мать площадь дверь часть вещь область очередь модель запись кровать".split())
#: Rulers by the stems of their names; "Екатерин" and the like are women.
RULERS = (
    "Пётр",
    "Петр",
    "Никола",
    "Александр",
    "Иван",
    "Павел",
    "Павл",
    "Людовик",
    "Карл",
    "Генрих",
    "Фридрих",
    "Вильгельм",
    "Георг",
    "Эдуард",
    "Филипп",
    "Наполеон",
    "Франциск",
    "Василий",
    "Рамзес",
    "Бенедикт",
    "Иоанн",
    "Леопольд",
    "Максимилиан",
    "Яков",
)
RULERS_FEMALE = ("Екатерин", "Елизавет", "Изабелл", "Маргарит")
