"""How answers begin: greetings and short phrases that tell a language although they are a word or two.

Of use only where nothing before has told a language. No English sentence begins with one of them, but for
sentences about them ("Hola is Spanish for hello."), so what follows must not speak for another language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Stand alone, or before a comma or another mark. With "~" also before a name: "Hola Juan!".
_OPENINGS = {
    "de": """
        ~hallo, ~guten tag, ~guten morgen, ~guten abend, gute nacht, ~servus, ~moin, ~grüß gott, ~grüezi,
        willkommen, herzlich willkommen, klar, aber klar, na klar, alles klar, ja klar, natürlich, ja
        natürlich, aber natürlich, selbstverständlich, gerne, sehr gerne, ja gerne, aber gerne, gern, sehr
        gern, genau, ganz genau, stimmt, das stimmt, richtig, verstanden, verstehe, ja, nein, ja genau,
        nein leider nicht, leider nein, leider nicht, doch, danke, danke schön, dankeschön, vielen dank,
        danke dir, danke ihnen, bitte, bitte schön, bitte sehr, gute frage, eine gute frage, sehr gute
        frage, gute idee, super idee, perfekt, prima, entschuldigung, verzeihung, tut mir leid, es tut mir
        leid, kein problem, keine sorge, keine ursache, auf jeden fall, auf keinen fall, auf wiedersehen,
        tschüss, bis bald, einen moment, einen moment bitte, moment bitte, kurz gesagt, zusammenfassung,
        kurze zusammenfassung, zum beispiel, einverstanden, wunderbar, großartig, schön, sehr schön, wie
        bitte, gute besserung, viel erfolg, viel glück, viel spaß, frohe weihnachten, herzlichen
        glückwunsch, ach so, leider, zutaten, zubereitung, schritt für schritt, übrigens, guten appetit
    """,
    "fr": """
        ~bonjour, ~bonsoir, ~salut, ~coucou, bonne nuit, bonne journée, bonne soirée, bienvenue, bonjour à
        tous, bien sûr, oui bien sûr, mais bien sûr, bien entendu, certainement, avec plaisir, d'accord,
        c'est d'accord, entendu, c'est entendu, très bien, parfait, oui, non, mais oui, mais non, oui tout
        à fait, tout à fait, absolument, exactement, effectivement, en effet, volontiers, merci, merci
        beaucoup, merci bien, de rien, je vous en prie, je t'en prie, s'il vous plaît, s'il te plaît,
        bonne question, très bonne question, excellente question, bonne idée, désolé, désolée, je suis
        désolé, je suis désolée, excusez-moi, excusez moi, pas de problème, pas de souci, aucun problème,
        ça marche, c'est parti, au revoir, à bientôt, à demain, un instant, un moment, un instant s'il
        vous plaît, en résumé, en bref, par exemple, génial, félicitations, bon courage, compris, je
        comprends, malheureusement, évidemment, naturellement, tout de suite, ingrédients, préparation,
        c'est vrai, c'est exact, peut-être, joyeux noël, bonne année, santé, pourquoi pas, enchanté,
        enchantée, c'est fait
    """,
    "es": """
        ~hola, ~buenos días, ~buenas tardes, ~buenas noches, buen día, ~qué tal, hola qué tal, bienvenido,
        bienvenida, bienvenidos, claro, claro que sí, sí claro, por supuesto, desde luego, sí, sí por
        supuesto, con mucho gusto, con gusto, encantado, encantada, perfecto, entendido, de acuerdo, muy
        bien, exacto, exactamente, correcto, efectivamente, en efecto, excelente, genial, estupendo, vale,
        bueno, gracias, muchas gracias, muchísimas gracias, de nada, por favor, buena pregunta, muy buena
        pregunta, excelente pregunta, buena idea, lo siento, lo siento mucho, perdón, perdona, disculpa,
        disculpe, no hay problema, sin problema, no te preocupes, no se preocupe, adiós, hasta luego,
        hasta pronto, hasta mañana, un momento, un momento por favor, espera, en resumen, resumen, por
        ejemplo, listo, felicidades, enhorabuena, buena suerte, buen provecho, salud, feliz navidad,
        desafortunadamente, lamentablemente, ingredientes, preparación, así es, es cierto, es verdad,
        tienes razón, comprendo, entiendo, a ver, vamos, qué bien, cómo no, hecho, está hecho
    """,
    "it": """
        ~ciao, ~buongiorno, ~buonasera, ~buon pomeriggio, salve, buonanotte, ciao a tutti, benvenuto,
        benvenuta, benvenuti, certo, certo che sì, ma certo, certamente, sì, sì certo, sicuro,
        naturalmente, ovviamente, assolutamente sì, volentieri, con piacere, molto volentieri, d'accordo,
        va bene, perfetto, capito, ho capito, capisco, esatto, esattamente, giusto, è vero, hai ragione,
        ottimo, benissimo, bene, molto bene, grazie, grazie mille, molte grazie, ti ringrazio, la
        ringrazio, di niente, di nulla, figurati, si figuri, per favore, per piacere, buona domanda,
        ottima domanda, bella domanda, buona idea, ottima idea, mi dispiace, scusa, scusi, mi scusi,
        nessun problema, non c'è problema, non preoccuparti, non si preoccupi, arrivederci, a presto, a
        domani, un momento per favore, un attimo, un attimo solo, in sintesi, in breve, riassunto, per
        esempio, ad esempio, ecco, eccomi, eccolo, complimenti, congratulazioni, auguri, buona fortuna,
        buon appetito, buon natale, purtroppo, ingredienti, preparazione, non lo so, perché no, fatto,
        piacere
    """,
    "pt": """
        ~olá, ~oi, ~bom dia, ~boa tarde, ~boa noite, olá tudo bem, oi tudo bem, tudo bem, bem-vindo,
        bem-vinda, bem vindo, bem vinda, claro, claro que sim, com certeza, sim, sim claro, sim com
        certeza, certo, certamente, com prazer, com todo o prazer, com muito prazer, perfeito, entendi,
        entendido, está bem, tá bom, combinado, exato, exatamente, isso mesmo, correto, é verdade,
        excelente, ótimo, muito bem, obrigado, obrigada, muito obrigado, muito obrigada, de nada, por
        favor, boa pergunta, ótima pergunta, excelente pergunta, boa ideia, ótima ideia, desculpe,
        desculpa, me desculpe, sinto muito, lamento, sem problema, sem problemas, não se preocupe, não há
        problema, tchau, adeus, até logo, até breve, até amanhã, um momento, um momento por favor, só um
        momento, em resumo, resumo, por exemplo, parabéns, boa sorte, bom apetite, feliz natal,
        infelizmente, ingredientes, modo de preparo, preparo, não, não sei, vamos lá, que bom, de acordo,
        pois não, feito
    """,
    "en": """
        of course, certainly, absolutely, definitely, great question, good question, excellent question,
        sure thing, you're welcome, i'm sorry, i am sorry, i apologize, my apologies, here you go, got it,
        understood, exactly, that's right, that's correct, let me check, one moment please, just a moment,
        good afternoon, hello there, hi there, hello everyone, in short, in summary, for example, no
        worries
    """,
}
#: Begin a sentence that goes on without a mark.
_BEGINNINGS = {
    "de": """
        die antwort, hier ist, hier sind, hier kommt, hier findest du, hier finden sie, das ist, das sind,
        es ist, es gibt, ich bin, ich habe, ich kann, ich helfe, ich verstehe, gerne helfe, kein problem,
        wie kann ich, du kannst, sie können, danke für, vielen dank für, tut mir leid, es tut mir leid,
        willkommen bei, schön dass, guten morgen zusammen, hallo zusammen, gute frage, in ordnung, zum
        beispiel, der preis, zuerst, schritt eins, heute ist
    """,
    "fr": """
        voici, voilà les, voilà le, voilà la, voilà un, c'est un, c'est une, il y a, je suis, j'ai, je
        vais, je peux, je vous, je comprends, nous avons, vous pouvez, tu peux, il faut, il est, merci
        pour, merci de, comment puis-je, comment puis je, bienvenue à, bienvenue dans, bienvenue sur,
        bonjour à tous, d'après, d'abord, c'est noté, c'est possible, n'hésitez, bien sûr, aujourd'hui,
        étape, le prix, la réponse, bienvenue chez, merci d'avoir
    """,
    "es": """
        aquí tienes, aquí tiene, aquí está, aquí están, aquí te, aquí le, hay que, es una, es un, estoy,
        puedo, puedes, podemos, gracias por, bienvenido a, bienvenidos a, en qué, cómo puedo, te ayudo,
        con gusto, lo siento, yo soy, claro que, muy buenas, hoy es, hoy hay, el precio, la respuesta, te
        explico, son las, primero
    """,
    "it": """
        ecco la, ecco il, ecco le, ecco i, ecco lo, ecco un, ecco una, ecco come, ecco cosa, ecco alcuni,
        ecco alcune, ecco qui, eccoti, è una, è un, è il, è la, posso, puoi, ti ringrazio, la ringrazio,
        grazie per, benvenuto in, benvenuti in, come posso, mi dispiace, ho trovato, certo che, ti aiuto,
        buona domanda, buongiorno a tutti, ciao a tutti, c'è, ci sono, ti spiego, la risposta, il prezzo,
        sono le, oggi è
    """,
    "pt": """
        aqui está, aqui estão, aqui vai, aqui vão, é uma, é um, eu sou, eu posso, estou, posso, você pode,
        obrigado por, obrigada por, bem-vindo ao, bem-vindo à, como posso, em que posso, não há, há, vou,
        temos, claro que, sinto muito, a resposta, o preço, hoje é, são as
    """,
    "en": """
        here is, here are, here's, this is, there is, there are, i am, i'm, i can, i have, you can, let's,
        let me, thank you for, thanks for, welcome to, how can i
    """,
}
#: Say nothing of another language, as all have taken them over, but that it is English where it was before.
_ENGLISH_EVERYWHERE = (
    "sure, hello, hi, hey, yes, yeah, thanks, thank you, great, alright, right, good morning"
)
#: Foreign, and at home in English.
_AT_HOME_IN_ENGLISH = """
        c'est la vie, c'est la guerre, que sera sera, qué será será, hasta la vista, la dolce vita, dolce
        vita, mi casa es su casa, su casa es mi casa, je ne sais quoi, touché, voilà, et voilà, déjà vu,
        bon voyage, bon appétit, à la carte, à la mode, joie de vivre, raison d'être, coup d'état, fait
        accompli, crème de la crème, l'esprit de l'escalier, laissez faire, savoir faire, enfant terrible,
        femme fatale, nom de plume, tête à tête, vis à vis, sans souci, noblesse oblige, ich bin ein
        berliner, sturm und drang, vorsprung durch technik, no pasarán, cinco de mayo, allegro ma non
        troppo, non troppo, día de los muertos, la vie en rose, al dente,
        in vino veritas, et cetera, et cetera et cetera, sine qua non, summa cum laude, je suis charlie
"""

#: A shorter word without a mark may be a name or a title ("Parfait", "Vale").
_LONG_WORD = 8
#: Words of the longest phrase, and the characters of a text in which one is looked for.
_LONGEST, _LOOKED_AT = 6, 80
_PIECE = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+){0,4}")
_BETWEEN = re.compile(r"(?:, ?| )")
_MARK = re.compile(r"[ \u00a0\u202f]?[,.!?:;\u2026\u2013\u2014]")
_NAME = re.compile(r" (?P<name>[^\W\d_]{2,20})(?=[ \u00a0\u202f]?[,!.](?: |$))")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a text begins: the languages in which it may begin so, and where what follows begins."""

    languages: tuple[str, ...]
    end: int
    tells: bool = True  # not only that the language before goes on


def _phrases(written: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in written.split(",")]


def _table(phrases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for language, written in phrases.items():
        for phrase in _phrases(written.replace("~", "")):
            found[phrase] = (*found.get(phrase, ()), language)
    return found


#: Phrases in small letters with the languages that have them.
ALONE: Mapping[str, tuple[str, ...]] = _table(_OPENINGS)
_BEFORE_MORE = _table(_BEGINNINGS)
_BEFORE_A_NAME = frozenset(
    phrase[1:] for written in _OPENINGS.values() for phrase in _phrases(written) if phrase[0] == "~"
)
_EVERYWHERE = frozenset(_phrases(_ENGLISH_EVERYWHERE))
_AT_HOME = frozenset(_phrases(_AT_HOME_IN_ENGLISH))


def is_at_home_in_english(text: str) -> bool:
    """Whether a text is one of the foreign phrases that English has taken over ("C'est la vie.")."""
    pieces = _PIECE.findall(text[:_LOOKED_AT].replace("\u2019", "'").lower())
    return " ".join(" ".join(pieces).replace("-", " ").split()) in _AT_HOME


def opening(text: str) -> Opening | None:
    """How a text in NFC begins, the longest phrase that is known, if any."""
    shown = text[:_LOOKED_AT].replace("\u2019", "'")
    start = 1 if shown[:1] in ("\u00a1", "\u00bf") else 0
    phrases: list[tuple[str, int]] = []  # each with its end
    while len(phrases) < _LONGEST and (piece := _PIECE.match(shown, start)):
        word = piece.group().lower()
        phrases.append((f"{phrases[-1][0]} {word}" if phrases else word, piece.end()))
        between = _BETWEEN.match(shown, piece.end())
        if not between:
            break
        start = between.end()
    for phrase, end in reversed(phrases):
        found = _read(shown, phrase, end)
        if found is not None:
            return found
    return None


def _read(text: str, phrase: str, end: int) -> Opening | None:
    languages = ALONE.get(phrase, ())
    if languages:
        mark = _MARK.match(text, end)
        name = _NAME.match(text, end) if phrase in _BEFORE_A_NAME else None
        bare = end == len(text) and (" " in phrase or len(phrase) >= _LONG_WORD or not phrase.isascii())
        if mark or bare or (name and name["name"][0].isupper()):
            return Opening(_by_marks(languages, text), mark.end() if mark else end)
    if phrase in _BEFORE_MORE and end < len(text):
        return Opening(_BEFORE_MORE[phrase], end)
    if phrase in _EVERYWHERE and (end == len(text) or _MARK.match(text, end)):
        return Opening(("en",), end, tells=False)
    return None


def _by_marks(languages: tuple[str, ...], text: str) -> tuple[str, ...]:
    """What Spanish and Portuguese share is told by whether an exclamation has its first mark too."""
    if "es" in languages and "pt" in languages:
        other = "es" if "!" in text and "\u00a1" not in text else "pt"
        return tuple(language for language in languages if language != other)
    return languages
