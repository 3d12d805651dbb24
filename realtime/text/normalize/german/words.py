"""The words of the German reader: units, currencies, months, abbreviations, names of letters and signs."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Currency, Noun

MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)


def _same(word: str, gender: str = "m") -> Noun:
    return Noun((word,), gender)


_SECOND = Noun(("Sekunde", "Sekunden"), "f")
_MINUTE = Noun(("Minute", "Minuten"), "f")
_HOUR = Noun(("Stunde", "Stunden"), "f")
_PRESSURE = _same("Millimeter Quecksilbersäule")
INCH = _same("Zoll")
UNITS = {
    "%": _same("Prozent", "n"),
    "‰": _same("Promille", "n"),
    "°": _same("Grad"),
    "°C": _same("Grad Celsius"),
    "°F": _same("Grad Fahrenheit"),
    "Uhr": _same("Uhr", "n"),
    "mm": _same("Millimeter"),
    "cm": _same("Zentimeter"),
    "m": _same("Meter"),
    "km": _same("Kilometer"),
    "µm": _same("Mikrometer"),
    "nm": _same("Nanometer"),
    "mm²": _same("Quadratmillimeter"),
    "cm²": _same("Quadratzentimeter"),
    "m²": _same("Quadratmeter"),
    "qm": _same("Quadratmeter"),
    "km²": _same("Quadratkilometer"),
    "cm³": _same("Kubikzentimeter"),
    "m³": _same("Kubikmeter"),
    "ha": _same("Hektar"),
    "ml": _same("Milliliter"),
    "cl": _same("Zentiliter"),
    "l": _same("Liter"),
    "mg": _same("Milligramm", "n"),
    "g": _same("Gramm", "n"),
    "kg": _same("Kilogramm", "n"),
    "t": Noun(("Tonne", "Tonnen"), "f"),
    "km/h": _same("Kilometer pro Stunde"),
    "m/s": _same("Meter pro Sekunde"),
    "ms": Noun(("Millisekunde", "Millisekunden"), "f"),
    "s": _SECOND,
    "Sek.": _SECOND,
    "min": _MINUTE,
    "Min.": _MINUTE,
    "h": _HOUR,
    "Std.": _HOUR,
    "kB": _same("Kilobyte", "n"),
    "KB": _same("Kilobyte", "n"),
    "MB": _same("Megabyte", "n"),
    "GB": _same("Gigabyte", "n"),
    "TB": _same("Terabyte", "n"),
    "Mbit/s": _same("Megabit pro Sekunde", "n"),
    "Hz": _same("Hertz", "n"),
    "kHz": _same("Kilohertz", "n"),
    "MHz": _same("Megahertz", "n"),
    "GHz": _same("Gigahertz", "n"),
    "W": _same("Watt", "n"),
    "kW": _same("Kilowatt", "n"),
    "MW": _same("Megawatt", "n"),
    "kWh": Noun(("Kilowattstunde", "Kilowattstunden"), "f"),
    "V": _same("Volt", "n"),
    "PS": _same("PS", "n"),
    "EL": _same("Esslöffel"),
    "TL": _same("Teelöffel"),
    "Stk.": _same("Stück", "n"),
    "kcal": Noun(("Kilokalorie", "Kilokalorien"), "f"),
    "kJ": _same("Kilojoule", "n"),
    "px": _same("Pixel", "n"),
    "mAh": Noun(("Milliamperestunde", "Milliamperestunden"), "f"),
    "Ah": Noun(("Amperestunde", "Amperestunden"), "f"),
    "Gbit/s": _same("Gigabit pro Sekunde", "n"),
    "MB/s": _same("Megabyte pro Sekunde", "n"),
    "GB/s": _same("Gigabyte pro Sekunde", "n"),
    "Mbps": _same("Megabit pro Sekunde", "n"),
    "µg": _same("Mikrogramm", "n"),
    "dl": _same("Deziliter"),
    "hl": _same("Hektoliter"),
    "bar": _same("Bar", "n"),
    "Zi.": _same("Zimmer", "n"),
    "Hm": _same("Höhenmeter"),
    "hm": _same("Höhenmeter"),
    "Msp.": Noun(("Messerspitze", "Messerspitzen"), "f"),
    "mmol": _same("Millimol", "n"),
    "mmHg": _PRESSURE,
    "mm Hg": _PRESSURE,
    "dB": _same("Dezibel", "n"),
    "hPa": _same("Hektopascal", "n"),
}
_MILLION = Noun(("Million", "Millionen"), "f")
_BILLION = Noun(("Milliarde", "Milliarden"), "f")
MAGNITUDES = {
    "Tsd.": Noun(("Tausend",)),
    "Mio.": _MILLION,
    "Mio": _MILLION,
    "Millionen": _MILLION,
    "Million": _MILLION,
    "Mrd.": _BILLION,
    "Mrd": _BILLION,
    "Milliarden": _BILLION,
    "Milliarde": _BILLION,
    "Bio.": Noun(("Billion", "Billionen"), "f"),
}
MONEY_MAGNITUDES = {
    "M": _MILLION,
    "B": _BILLION,
}
PER = {
    "h": "pro Stunde",
    "Std.": "pro Stunde",
    "Stunde": "pro Stunde",
    "Tag": "pro Tag",
    "Woche": "pro Woche",
    "Monat": "pro Monat",
    "Jahr": "pro Jahr",
    "kg": "pro Kilogramm",
    "km": "pro Kilometer",
    "l": "pro Liter",
    "dl": "pro Deziliter",
    "m²": "pro Quadratmeter",
    "kWh": "pro Kilowattstunde",
    "100 km": "pro einhundert Kilometer",
    "100 g": "pro einhundert Gramm",
    "Person": "pro Person",
    "Nacht": "pro Nacht",
    "min": "pro Minute",
    "Min.": "pro Minute",
    "Minute": "pro Minute",
    "s": "pro Sekunde",
    "Mon.": "pro Monat",
    "ml": "pro Milliliter",
    "GB": "pro Gigabyte",
    "Stück": "pro Stück",
}
POWERS = {"²": "hoch zwei", "³": "hoch drei"}
_CENT = _same("Cent")
_EURO = Currency(_same("Euro"), _CENT)
_DOLLAR = Currency(_same("Dollar"), _CENT)
_FRANC = Currency(_same("Franken"), _same("Rappen"))
CURRENCIES = {
    "€": _EURO,
    "EUR": _EURO,
    "Euro": _EURO,
    "$": _DOLLAR,
    "US$": Currency(_same("US-Dollar"), _CENT),
    "USD": Currency(_same("US-Dollar"), _CENT),
    "Dollar": _DOLLAR,
    "£": Currency(_same("Pfund", "n"), Noun(("Penny", "Pence"))),
    "GBP": Currency(_same("Pfund", "n"), Noun(("Penny", "Pence"))),
    "CHF": _FRANC,
    "Fr.": _FRANC,
    "Franken": _FRANC,
    "¥": Currency(_same("Yen")),
    "ct": Currency(_CENT),
    "₽": Currency(_same("Rubel")),
}
ABBREVIATIONS = {
    "z. B.": "zum Beispiel",
    "d. h.": "das heißt",
    "u. a.": "unter anderem",
    "v. a.": "vor allem",
    "z. T.": "zum Teil",
    "z. Zt.": "zur Zeit",
    "i. d. R.": "in der Regel",
    "o. Ä.": "oder Ähnliches",
    "u. Ä.": "und Ähnliches",
    "s. o.": "siehe oben",
    "s. u.": "siehe unten",
    "u. U.": "unter Umständen",
    "m. E.": "meines Erachtens",
    "n. Chr.": "nach Christus",
    "v. Chr.": "vor Christus",
    "p. a.": "pro Jahr",
    "a. D.": "außer Dienst",
    "usw.": "und so weiter",
    "usf.": "und so fort",
    "etc.": "et cetera",
    "bzw.": "beziehungsweise",
    "ca.": "circa",
    "evtl.": "eventuell",
    "ggf.": "gegebenenfalls",
    "inkl.": "inklusive",
    "exkl.": "exklusive",
    "zzgl.": "zuzüglich",
    "max.": "maximal",
    "mind.": "mindestens",
    "vgl.": "vergleiche",
    "sog.": "sogenannte",
    "bspw.": "beispielsweise",
    "geb.": "geboren",
    "gest.": "gestorben",
    "MwSt.": "Mehrwertsteuer",
    "Tel.": "Telefon",
    "Dr.": "Doktor",
    "Prof.": "Professor",
    "Hbf.": "Hauptbahnhof",
    "Jh.": "Jahrhundert",
    "Mio.": "Millionen",
    "Mrd.": "Milliarden",
    "Std.": "Stunde",
    "zw.": "zwischen",
    "Jg.": "Jahrgang",
    "Nr.": "Nummer",
    "Str.": "Straße",
    "gem.": "gemäß",
    "vs.": "gegen",
    "verh.": "verheiratet",
    "Az.": "Aktenzeichen",
    "Art.-Nr.": "Artikelnummer",
    "Kd.-Nr.": "Kundennummer",
    "Tel.-Nr.": "Telefonnummer",
    "Best.-Nr.": "Bestellnummer",
    "lt.": "laut",
    "i. A.": "im Auftrag",
    "u. v. m.": "und vieles mehr",
    "u. v. a.": "und viele andere",
    "m. a. W.": "mit anderen Worten",
    "einschl.": "einschließlich",
    "zzt.": "zurzeit",
    "z. Hd.": "zu Händen",
    "insb.": "insbesondere",
    "insbes.": "insbesondere",
    "Entf": "Entfernen",
}
BEFORE_NUMBER = {
    "S.": "Seite",
    "Art.": "Artikel",
    "Abs.": "Absatz",
    "Bd.": "Band",
    "Kap.": "Kapitel",
    "Abb.": "Abbildung",
    "Tab.": "Tabelle",
    "min.": "mindestens",
    "rd.": "rund",
}
BEFORE_NAME = {
    "Hr.": "Herr",
    "Fr.": "Frau",
    "St.": "Sankt",
    "Ing.": "Ingenieur",
    "Dipl.-Ing.": "Diplomingenieur",
}
#: What espeak-ng reads as a word, but people spell.
SPELLED = frozenset(
    "EU ARD AG IBM KI API UKW URL IT AKW EZB EM IOC IAA USA AOK IHK UN WM IP BIP ICE UV ID OP "
    "ADAC LED EDV ETF GEZ SUV UPS USB AEG ABS AGB HIV ORF IWF WHO CEO CIO SAP US VIP".split()
)
NEUTER = frozenset(
    "Mal Jahr Buch Kind Quartal Halbjahr Kapitel Spiel Tor Album Semester Jahrhundert Jubiläum "
    "Haus Stockwerk Auto Viertel Drittel Treffen Konzert Ergebnis Team Lied Bild Stück "
    "Enkelkind Lebensjahr".split()
)
#: Masculine nouns that an ordinal often stands before.
RANKED = frozenset(
    "Stock Platz Tag Weltkrieg Monat Teil Band Schritt Punkt Gang Absatz Spieltag Geburtstag Rang Versuch "
    "Preis Satz Akt".split()
)
#: Feminine by their ending, and those that are not, and feminine ones with another ending.
FEMININE_ENDINGS = (
    *("e", "ung", "heit", "keit", "schaft", "ion", "tät", "ei", "ik", "ur"),
    *("erin", "torin", "istin", "entin", "antin", "rztin", "reundin", "kundin", "ollegin", "hefin", "önigin"),
)
MASCULINE = frozenset(
    "Name Käse Junge Kunde Kollege Ende Auge Gebäude Interesse Ei Buchstabe Gedanke Experte "
    "Löwe Hase Neffe Deutsche Franzose Tore Spiele Jahre Tage Ergebnisse Punkte".split()
)
FEMININE = frozenset(
    "Stadt Frau Person Hand Nacht Woche Antwort Zahl Tür Bank Mutter Tochter Schwester Nummer "
    "Regel Auflage Aufl Option Maus Wand Uhrzeit Zeit App Art Form Mail Kraft Wahl Kartoffel Million "
    "Milliarde".split()
)
RULERS = frozenset(
    "Ludwig Karl Friedrich Wilhelm Heinrich Otto Franz Joseph Josef Johannes Paul Benedikt Pius "
    "Leo Georg Eduard Philipp Alexander Nikolaus Napoleon Gustav Christian Maximilian Leopold "
    "Konrad Rudolf Peter Jakob Charles Ferdinand Ramses Franziskus Ernst August Adolf Juan "
    "Carlos Felipe".split()
)
RULERS_FEMALE = frozenset("Elisabeth Katharina Margrethe Margarethe Maria Anna".split())
SIGN_NAMES = {
    ".": "Punkt",
    "@": "at",
    "/": "Schrägstrich",
    "-": "Minus",
    "_": "Unterstrich",
    ":": "Doppelpunkt",
    "#": "Hashtag",
    "?": "Fragezeichen",
    "=": "gleich",
    "&": "und",
    "+": "plus",
    "%": "Prozent",
    "~": "Tilde",
    ",": "Komma",
    "*": "Stern",
}
SIGNS = {
    "&": "und",
    "+": "plus",
    "=": "gleich",
    "%": "Prozent",
    "~": "etwa",
    "≈": "etwa",
    "±": "plus minus",
    "≠": "ungleich",
    "<": "kleiner als",
    ">": "größer als",
    "≤": "kleiner gleich",
    "≥": "größer gleich",
    "÷": "geteilt durch",
    "\u2212": "minus",
    "€": "Euro",
    "$": "Dollar",
}
WEEKDAYS = {
    "Mo": "Montag",
    "Di": "Dienstag",
    "Mi": "Mittwoch",
    "Do": "Donnerstag",
    "Fr": "Freitag",
    "Sa": "Samstag",
    "So": "Sonntag",
}
#: Keys, as they are named before a plus.
KEYS = {
    "Strg": "Steuerung",
    "Ctrl": "Control",
    "Alt": "Alt",
    "AltGr": "Alt Gr",
    "Umschalt": "Umschalt",
    "Shift": "Shift",
    "Cmd": "Command",
    "Command": "Command",
    "Windows": "Windows",
    "Win": "Windows",
    "Esc": "Escape",
    "Entf": "Entfernen",
    "Fn": "Fn",
}
LETTER_NAMES = {"ß": "Eszett", "Y": "Ypsilon"}
