"""Small words and letters by which languages in Latin letters are told apart, where a text is short."""

from __future__ import annotations

from collections.abc import Mapping

#: Words that hold sentences together; hardly ever names, and not taken over by other languages.
_SMALL = {
    "en": """
        the and of to is are was were be been being have has had i you he she it we they me him us
        them my your his her its our their this that these those there here what which who whom
        whose when where why how not do does did don't doesn't didn't can't won't isn't aren't
        wasn't i'm i'll i've i'd it's that's you're we're they're let's what's there's can could
        will would shall should may might must if because although while though than then so but or
        nor from with without about into onto over under after before between through during against
        for at by on as an just only also too very really please thanks let get got go going want
        need know think make any some every each all both much many more most other another such
        same now again always never still already yes okay sure well good great next new say said
        tell your yours yourself myself nothing something anything everything everyone someone
    """,
    "de": """
        der die das dem den des ein eine einen einem einer eines und oder aber denn weil dass daß
        wenn ob als ist sind war waren bin bist seid sein wird werden wurde wurden worden habe hast
        hat haben hatte hatten kann kannst können könnte muss müssen soll sollte will wollen möchte
        darf dürfen ich du er sie es wir ihr mich dich uns euch mir dir ihm ihn ihnen mein meine
        meinen dein deine deinen sein seine seinen unser unsere ihre ihren dieser diese dieses
        diesen diesem nicht kein keine keinen nichts nur noch schon auch sehr mehr immer wieder
        jetzt hier dort dann da wo wie was wer warum wann welche welcher mit nach bei seit von zu
        zum zur aus auf für durch gegen ohne um im am ins beim vom über unter vor hinter zwischen
        neben bis so doch mal ja nein bitte danke gut viel viele alle alles etwas jemand man heute
        morgen gestern gibt geht macht gerne natürlich
    """,
    "fr": """
        voici voilà le la de les un une des du au aux et ou mais donc car que qui quoi dont où quand
        comment pourquoi si est sont était étaient être suis es sommes êtes sera serait ai as a
        avons avez ont avait avoir eu été je tu il elle on nous vous ils elles me te se lui leur
        leurs moi toi mon ma mes ton ta tes son sa ses notre nos votre vos ce cet cette ces ça cela
        c'est j'ai n'est d'un d'une qu'il qu'elle qu'on l'on s'il ne pas plus jamais rien aucun
        aucune très trop bien aussi encore toujours déjà ici là dans en sur sous avec sans pour par
        chez vers depuis pendant avant après entre comme alors puis fait faire faut peut peux pouvez
        dit dire va vais allez vont veux voulez tout tous toute toutes même oui non merci bonjour
        quel quelle quelque chose beaucoup peu y à
    """,
    "es": """
        claro aquí el la los las un una unos unas de del al y o u e pero sino porque que qué quien
        quién cual cuál cuando cuándo donde dónde como cómo si sí es son era eran fue fueron ser soy
        eres somos está están estoy estás estaba estar ha han he has hemos había haber hay yo tú él
        ella usted ustedes nosotros ellos ellas me te se le les lo nos mi mis tu tus su sus nuestro
        nuestra este esta estos estas ese esa esos esas esto eso no ni nunca nada nadie muy más
        menos también tampoco ya aún todavía siempre aquí allí ahí en con sin por para sobre entre
        hasta desde hacia según durante antes después tiene tienen tengo tener hace hacer puede
        puedes pueden puedo quiero quiere vamos voy va dijo decir todo toda todos todas otro otra
        mucho mucha muchos bien bueno gracias hola hoy mañana ayer así cada
    """,
    "it": """
        certo ecco so il lo la i gli le un uno una di del dello della dei degli delle al allo alla
        ai agli alle dal dalla dai nel nello nella nei negli nelle sul sulla sui e ed o ma però
        perché che chi cui quando dove come se è sono era erano sei siamo siete essere stato stata
        ho hai ha abbiamo avete hanno aveva avere io tu lui lei noi voi loro mi ti si ci vi ne me te
        mio mia miei tuo tua suo sua nostro nostra questo questa questi queste quello quella quelli
        quelle ciò non né mai niente nulla molto più meno anche ancora già sempre qui qua lì là in
        con su per tra fra da a senza dopo prima fino verso posso puoi può possiamo possono devo
        deve vuoi voglio vuole fa fare fatto va vado andiamo detto dire tutto tutta tutti tutte
        altro altra cosa così bene grazie oggi domani ieri ogni c'è dell'anno nell'anno un'altra sì
    """,
    "pt": """
        claro aqui o a os as um uma uns umas de do da dos das ao à aos às no na nos nas pelo pela
        pelos pelas num numa e ou mas porque que quem qual quais quando onde como se é são era eram
        foi foram ser sou és somos está estão estou estava estar há ter tem têm tenho tinha temos eu
        tu ele ela você vocês nós eles elas me te lhe lhes meu minha meus minhas teu tua seu sua
        seus suas nosso nossa este esta estes estas esse essa isto isso aquele aquela aquilo não nem
        nunca nada ninguém muito muita mais menos também já ainda sempre aqui ali lá em com sem por
        para sobre entre até desde depois antes faz fazer pode podem posso podemos quero quer vamos
        vou vai disse dizer todo toda todos todas outro outra bem bom boa obrigado obrigada olá hoje
        amanhã ontem assim cada coisa gostaria
    """,
}
#: Of these, words that stand in names ("Leonardo da Vinci") or are words of many languages: they tell little.
_WEAK = frozenset(
    """
    a an as at all de la le les los las el il lo i o os da do dos das del di du des der die den van
    von e y u en et un una une in on no si se me te to so do per pro con sur am im is was war will
    man hat has a ai al as es est sera son sa ma mi ne ni on or ou per sei come come dove era fare
    got her us we go bin he mal ti tu va via vi new good great next well okay soy
    """.split()
)

#: Words that stand within names of dishes and titles ("Café au lait"): of few words they make no sentence.
IN_TITLES = frozenset(
    """
    au aux du del della dello dei degli delle al alla alle ai do da das dos à von zum zur am im beim und et e
    y con mit avec sans senza
    """.split()
)
_WEAK_WEIGHT = 0.3
_SPLIT = {language: frozenset(words.split()) for language, words in _SMALL.items()}

SMALL_WORDS_OF = tuple(_SMALL)
#: Each word in small letters with the languages that have it, and how much it says for them, at most 1.
SMALL_WORDS: Mapping[str, tuple[tuple[str, float], ...]] = {
    word: tuple(
        (language, _WEAK_WEIGHT if word in _WEAK else 1.0)
        for language, words in _SPLIT.items()
        if word in words
    )
    for word in frozenset().union(*_SPLIT.values())
}
#: Letters and signs that the language alone has, or nearly; in words in small letters they count.
SPECIAL_LETTERS: Mapping[str, frozenset[str]] = {
    "de": frozenset("\u00e4\u00f6\u00fc\u00df"),
    "es": frozenset("\u00f1\u00bf\u00a1"),
    "fr": frozenset("\u0153\u00ea\u00ee\u00fb\u00e7\u00e8"),
    "it": frozenset("\u00ec\u00f2\u00e8"),
    "pt": frozenset("\u00e3\u00f5\u00e7\u00ea"),
}
