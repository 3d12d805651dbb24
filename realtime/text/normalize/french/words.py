"""The words of the French reader: units, currencies, months, abbreviations, names of letters and signs."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Currency, Noun

MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def _plural(word: str, gender: str = "m", rest: str = "") -> Noun:
    """A noun with the usual plural, and what comes after it in both."""
    return Noun((word + rest, word + "s" + rest), gender)


def _same(word: str, gender: str = "m") -> Noun:
    return Noun((word,), gender)


_HOUR = _plural("heure", "f")
_MINUTE = _plural("minute", "f")
_SECOND = _plural("seconde", "f")
#: Before "café" or "soupe", which are said as they are written.
_SPOON = Noun(("cuillère à", "cuillères à"), "f")
_TEASPOON = Noun(("cuillère à café", "cuillères à café"), "f")
_TABLESPOON = Noun(("cuillère à soupe", "cuillères à soupe"), "f")
_PRESSURE = Noun(("millimètre de mercure", "millimètres de mercure"))
INCH = _plural("pouce")
UNITS = {
    "%": _same("pour cent"),
    "‰": _same("pour mille"),
    "°": _plural("degré"),
    "°C": _plural("degré", rest=" Celsius"),
    "°F": _plural("degré", rest=" Fahrenheit"),
    "mm": _plural("millimètre"),
    "cm": _plural("centimètre"),
    "m": _plural("mètre"),
    "km": _plural("kilomètre"),
    "mm²": Noun(("millimètre carré", "millimètres carrés")),
    "cm²": Noun(("centimètre carré", "centimètres carrés")),
    "m²": Noun(("mètre carré", "mètres carrés")),
    "km²": Noun(("kilomètre carré", "kilomètres carrés")),
    "cm³": Noun(("centimètre cube", "centimètres cubes")),
    "m³": Noun(("mètre cube", "mètres cubes")),
    "ha": _plural("hectare"),
    "ml": _plural("millilitre"),
    "mL": _plural("millilitre"),
    "cl": _plural("centilitre"),
    "l": _plural("litre"),
    "L": _plural("litre"),
    "mg": _plural("milligramme"),
    "g": _plural("gramme"),
    "kg": _plural("kilogramme"),
    "t": _plural("tonne", "f"),
    "km/h": _plural("kilomètre", rest=" heure"),
    "m/s": _plural("mètre", rest=" par seconde"),
    "ms": _plural("milliseconde", "f"),
    "s": _SECOND,
    "sec": _SECOND,
    "min": _MINUTE,
    "mn": _MINUTE,
    "h": _HOUR,
    "Ko": _plural("kilooctet"),
    "ko": _plural("kilooctet"),
    "Mo": _plural("mégaoctet"),
    "Go": _plural("gigaoctet"),
    "To": _plural("téraoctet"),
    "MB": _plural("mégaoctet"),
    "GB": _plural("gigaoctet"),
    "TB": _plural("téraoctet"),
    "Mbit/s": _plural("mégabit", rest=" par seconde"),
    "Hz": _same("hertz"),
    "kHz": _same("kilohertz"),
    "MHz": _same("mégahertz"),
    "GHz": _same("gigahertz"),
    "W": _plural("watt"),
    "kW": _plural("kilowatt"),
    "MW": _plural("mégawatt"),
    "kWh": Noun(("kilowattheure", "kilowattheures")),
    "V": _plural("volt"),
    "kcal": _plural("kilocalorie", "f"),
    "dB": _plural("décibel"),
    "hPa": _plural("hectopascal"),
    "hab.": _plural("habitant"),
    "c. à": _SPOON,
    "cuil. à": _SPOON,
    "c. à c.": _TEASPOON,
    "c.à.c.": _TEASPOON,
    "c. à s.": _TABLESPOON,
    "c.à.s.": _TABLESPOON,
    "mAh": Noun(("milliampère-heure", "milliampères-heures")),
    "Ah": Noun(("ampère-heure", "ampères-heures")),
    "Gbit/s": _plural("gigabit", rest=" par seconde"),
    "Mbps": _plural("mégabit", rest=" par seconde"),
    "Mo/s": _plural("mégaoctet", rest=" par seconde"),
    "Go/s": _plural("gigaoctet", rest=" par seconde"),
    "dl": _plural("décilitre"),
    "hl": _plural("hectolitre"),
    "kJ": _plural("kilojoule"),
    "px": _plural("pixel"),
    "µg": _plural("microgramme"),
    "bar": _plural("bar"),
    "j": _plural("jour"),
    "mmol": _plural("millimole", "f"),
    "ch": Noun(("cheval", "chevaux")),
    "mmHg": _PRESSURE,
    "mm Hg": _PRESSURE,
    "pers.": _plural("personne", "f"),
}
_MILLION = _plural("million")
_BILLION = _plural("milliard")
MAGNITUDES = {
    "Mds": _BILLION,
    "Md": _BILLION,
    "Mrd": _BILLION,
    "M": _MILLION,
}
MONEY_MAGNITUDES = {
    "million": _MILLION,
    "millions": _MILLION,
    "milliard": _BILLION,
    "milliards": _BILLION,
    "Mio": _MILLION,
    "B": _BILLION,
}
PER = {
    "h": "de l'heure",
    "heure": "par heure",
    "jour": "par jour",
    "j": "par jour",
    "semaine": "par semaine",
    "mois": "par mois",
    "an": "par an",
    "kg": "le kilogramme",
    "km": "par kilomètre",
    "l": "le litre",
    "dl": "par décilitre",
    "min": "par minute",
    "s": "par seconde",
    "L": "le litre",
    "m²": "le mètre carré",
    "100 km": "aux cent kilomètres",
    "100 g": "les cent grammes",
    "personne": "par personne",
    "nuit": "par nuit",
    "pers.": "par personne",
}
POWERS = {"²": "au carré", "³": "au cube"}
_CENT = _plural("centime")
_EURO = Currency(_plural("euro"), _CENT)
_DOLLAR = Currency(_plural("dollar"), _plural("cent"))
_POUND = Currency(_plural("livre", "f"), Noun(("penny", "pence")))
_FRANC = Currency(_plural("franc"), _CENT)
CURRENCIES = {
    "€": _EURO,
    "EUR": _EURO,
    "euros": _EURO,
    "euro": _EURO,
    "$": _DOLLAR,
    "US$": _DOLLAR,
    "USD": _DOLLAR,
    "dollars": _DOLLAR,
    "dollar": _DOLLAR,
    "$ US": Currency(Noun(("dollar américain", "dollars américains")), _plural("cent")),
    "$ CAN": Currency(Noun(("dollar canadien", "dollars canadiens")), _plural("cent")),
    "$ CA": Currency(Noun(("dollar canadien", "dollars canadiens")), _plural("cent")),
    "£": _POUND,
    "GBP": _POUND,
    "CHF": Currency(Noun(("franc suisse", "francs suisses")), _CENT),
    "francs": _FRANC,
    "¥": Currency(_plural("yen")),
    "₽": Currency(_plural("rouble")),
}
ABBREVIATIONS = {
    "p. ex.": "par exemple",
    "c.-à-d.": "c'est-à-dire",
    "etc.": "et cetera",
    "av. J.-C.": "avant Jésus-Christ",
    "apr. J.-C.": "après Jésus-Christ",
    "ap. J.-C.": "après Jésus-Christ",
    "J.-C.": "Jésus-Christ",
    "cf.": "confer",
    "env.": "environ",
    "vs": "versus",
    "vs.": "versus",
    "tél.": "téléphone",
    "i.e.": "c'est-à-dire",
    "S.A.": "S A",
    "S.A.R.L.": "S A R L",
    "P.-D.G.": "P D G",
    "C. civ.": "Code civil",
    "C. pén.": "Code pénal",
    "C. trav.": "Code du travail",
    "s.v.p.": "s'il vous plaît",
    "s'il te plait": "s'il te plaît",
    "Mme": "madame",
    "Mmes": "mesdames",
    "Mlle": "mademoiselle",
    "Mlles": "mesdemoiselles",
    "MM.": "messieurs",
    "éd.": "édition",
    "qqn": "quelqu'un",
    "qqch": "quelque chose",
    "bcp": "beaucoup",
    "svp": "s'il vous plaît",
    "stp": "s'il te plaît",
    "rdv": "rendez-vous",
    "n°": "numéro",
    "nº": "numéro",
    "min.": "minimum",
    "max.": "maximum",
    "c.-à-d": "c'est-à-dire",
    "c.à.d.": "c'est-à-dire",
    "c. à": "cuillère à",
    "N.B.": "N B",
    "vol.": "volume",
    "resp.": "respectivement",
    "hab.": "habitants",
    "pers.": "personnes",
}
BEFORE_NUMBER = {
    "n°": "numéro",
    "nº": "numéro",
    "no": "numéro",
    "al.": "alinéa",
    "max.": "maximum",
    "min.": "minimum",
    "p.": "page",
    "pp.": "pages",
    "art.": "article",
    "chap.": "chapitre",
    "vol.": "volume",
    "fig.": "figure",
    "tab.": "tableau",
    "th.": "thermostat",
    "réf.": "référence",
    "km": "kilomètre",
    "§": "paragraphe",
}
BEFORE_NAME = {
    "M.": "monsieur",
    "Mr": "monsieur",
    "Dr": "docteur",
    "Dr.": "docteur",
    "Pr": "professeur",
    "Pr.": "professeur",
    "Mme": "madame",
    "Mme.": "madame",
    "Mmes": "mesdames",
    "Mlle": "mademoiselle",
    "Mlle.": "mademoiselle",
    "Mr.": "monsieur",
    "Me": "maître",
    "Mgr": "monseigneur",
    "St": "saint",
    "Ste": "sainte",
}
#: What espeak-ng reads as a word, but people spell.
SPELLED = frozenset(
    "UE OM OL OMS IA RER PIB TER PME CDI RSA IRM CHU EDF QI UV UMP CIA FMI API BCE ENS HEC OMC ARN "
    "IUT US AFP SA SARL CAP CEO SUV PS IP ADN ONG URL".split()
)
#: Nouns that are often counted.
FEMININE = frozenset(
    "heure heures minute minutes seconde secondes semaine semaines personne personnes fois page "
    "pages année années femme femmes fille filles chose choses place places maison maisons "
    "voiture voitures ville villes tonne tonnes pièce pièces carte cartes table tables chaise "
    "chaises chambre chambres ligne lignes image images équipe équipes entreprise entreprises "
    "famille familles école écoles tasse tasses bouteille bouteilles pomme pommes cuillère "
    "cuillères feuille feuilles lettre lettres étape étapes étoile étoiles nuit nuits vidéo "
    "vidéos photo photos application méthode méthodes façon façons règle règles partie parties "
    "victoire victoires défaite défaites question réponse réponses idée idées langue langues "
    "moitié demi-heure sœur sœurs mère mères nation raison raisons saison saisons leçon leçons "
    "main mains fin fleur fleurs tête têtes jambe jambes banane bananes orange oranges carotte "
    "carottes tomate tomates".split()
)
RULERS = frozenset(
    "Louis Henri François Charles Philippe Napoléon Napoleon Jean Paul Jean-Paul Benoît Pie "
    "Léon François-Joseph Guillaume Frédéric Nicolas Alexandre Pierre Catherine Élisabeth "
    "Elisabeth Elizabeth Édouard George Georges Jacques Albert Léopold Baudouin Richard Robert "
    "Ramsès Clément Grégoire Urbain Innocent Boniface Marie Vatican".split()
)
DAYS = {
    "lun": "lundi",
    "mar": "mardi",
    "mer": "mercredi",
    "jeu": "jeudi",
    "ven": "vendredi",
    "sam": "samedi",
    "dim": "dimanche",
}
SHORT_MONTHS = {
    "janv": "janvier",
    "févr": "février",
    "fév": "février",
    "avr": "avril",
    "juil": "juillet",
    "sept": "septembre",
    "oct": "octobre",
    "nov": "novembre",
    "déc": "décembre",
}
#: After an ordinal: "le 2e arr.".
AFTER_ORDINAL = {"arr.": "arrondissement", "ét.": "étage", "trim.": "trimestre", "sem.": "semestre"}
#: Streets before the name that they have.
STREETS = {
    "bd": "boulevard",
    "Bd": "boulevard",
    "bld": "boulevard",
    "boul.": "boulevard",
    "av.": "avenue",
    "Av.": "avenue",
    "pl.": "place",
    "Pl.": "place",
    "imp.": "impasse",
    "rte": "route",
    "fg": "faubourg",
    "St": "Saint",
    "Ste": "Sainte",
}
#: Keys, as they are named before a plus.
KEYS = {
    "Ctrl": "contrôle",
    "Alt": "Alt",
    "AltGr": "Alt G R",
    "Maj": "majuscule",
    "Shift": "Shift",
    "Cmd": "commande",
    "Windows": "Windows",
    "Win": "Windows",
    "Fn": "fonction",
}
SIGN_NAMES = {
    ".": "point",
    "@": "arobase",
    "/": "slash",
    "-": "tiret",
    "_": "tiret bas",
    ":": "deux points",
    "#": "hashtag",
    "?": "interrogation",
    "=": "égale",
    "&": "et",
    "+": "plus",
    "%": "pour cent",
    "~": "tilde",
    ",": "virgule",
    "*": "étoile",
}
SIGNS = {
    "&": "et",
    "+": "plus",
    "=": "égale",
    "%": "pour cent",
    "~": "environ",
    "≈": "environ",
    "±": "plus ou moins",
    "≠": "différent de",
    "<": "inférieur à",
    ">": "supérieur à",
    "≤": "inférieur ou égal à",
    "≥": "supérieur ou égal à",
    "÷": "divisé par",
    "\u2212": "moins",
    "€": "euros",
    "$": "dollars",
}
LETTER_NAMES = {
    "Y": "i grec",
    "É": "E accent aigu",
    "È": "E accent grave",
    "Ê": "E accent circonflexe",
    "Ë": "E tréma",
    "À": "A accent grave",
    "Â": "A accent circonflexe",
    "Ç": "C cédille",
    "Ô": "O accent circonflexe",
    "Î": "I accent circonflexe",
    "Ï": "I tréma",
    "Ù": "U accent grave",
    "Û": "U accent circonflexe",
    "Ü": "U tréma",
}
