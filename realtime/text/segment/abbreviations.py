# ruff: noqa: RUF001 - Cyrillic letters are meant as such
"""Words with a full stop that need not end a sentence, by language, and words that often begin one.

All in lower case and without the last full stop; the parts of "z. B." are joined: "z.b".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """The abbreviations of one language.

    `never`: something always follows ("Dr."); `numbered`: not the end before a number ("No. 5");
    `closing`: the end if a capital follows ("etc."); `either`: the end if one of `starters` follows ("U.S.").
    """

    never: frozenset[str]
    numbered: frozenset[str]
    closing: frozenset[str]
    either: frozenset[str]
    starters: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Known whatever the language: they come with names.
_COMMON = Abbreviations(
    never=_words("mr mrs ms dr vs e.g i.e cf mme mlle sig sigg sig.ra sig.na dott dott.ssa sra srta dra avv"),
    numbered=_words("no nr n° vol fig p pp"),
    closing=_words("etc"),
    either=_words("jr sr inc ltd co corp u.s u.s.a u.k ph.d b.c a.d gmbh llc bros st prof"),
    starters=frozenset(),
)

_TABLES = {
    "en": Abbreviations(
        never=_words(
            "mx messrs mmes lt maj cpt capt sgt cpl pvt cmdr adm sen supt insp mt approx incl excl esp"
            " viz resp eg ie ca c.f a.k.a aka w.r.t wrt"
        ),
        numbered=_words(
            "nos vols figs pg pgs para ch chap sec sect art ver v ed eds eq eqs ref refs tab ex app pt"
            " pts jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat"
            " sun tel ext apt ste rm op lot rte ep eps cat pop cor cir cal dep arr max bk"
        ),
        closing=_words(
            "a.m p.m am pm ft lb lbs oz mi hr hrs min mins sec secs yd yds gal qt kg km cm mm mph et.al"
            " al esq m.d d.d.s r.s.v.p p.s"
        ),
        either=_words(
            "ave blvd rd ln hwy pkwy dept univ assn est govt natl intl mfg plc n.y l.a d.c u.n e.u rep"
            " rev gov hon col gen pres det fr deg temp"
        ),
        starters=_words(
            "the an it he she they we you i this that these those there then but and so in on at if when"
            " what how why who where which my his her its our your their as for however after before yes"
            " not let please now here one some all many most is are was do does did can could will would"
            " should have has had meanwhile later today yesterday tomorrow still also next finally once"
            " since while although because no nobody everyone everything nothing more it's that's he's"
            " she's i'm we're they're there's don't"
        ),
    ),
    "de": Abbreviations(
        never=_words(
            "hr fr frl hrn dipl ing dipl.-ing med phil jur rer nat h.c bzw ca vgl z.b d.h i.d.r i.e.s"
            " evtl ggf inkl exkl sog geb gest insb insbes bes allg o.g s.o s.u zzgl zzt z.zt u.u i.a a.a.o"
            " ehem sogen verh einschl ausschl gegr frz engl griech dt amerik ital südl nördl westl östl"
            " msp höchst unterh oberh gem lt m.e m.a.w i.allg i.b v.a o.ä skt fa"
        ),
        numbered=_words(
            "nrn abs art abb abschn anm aufl bd bde bl kap s seite tab taf teil tel fax zif ziff zi rn"
            " rdnr jan febr feb mär apr jun jul aug sept sep okt nov dez mo di mi do sa so jg jhg vers ver"
            " lfd ges heft max min mind az art.-nr kd.-nr tel.-nr best.-nr"
        ),
        closing=_words("usw usf u.a u.ä u.v.m u.dgl etc.pp o.dgl mwst"),
        either=_words(
            "jh jhd jhdt chr v.chr n.chr mio mrd tsd std min sek str pl ggfs e.v a.g k.g i.r a.d u.s.w"
            " s.a o.g g.m.b.h ag ff kg bspw lfm qm mag st abt"
        ),
        starters=_words(
            "der die das ein eine er sie es wir ihr ich du dies diese dieser dieses dann aber und so in"
            " im am an auf wenn was wie warum wer wo mein sein doch danach nach vor bei mit für heute"
            " morgen gestern man auch hier nun jetzt da den dem des einen einem einer alle viele nicht"
            " kein keine ist sind war hat haben kann bitte zuerst zum zur später dort damals deshalb"
            " trotzdem außerdem jedoch allerdings von aus seit"
        ),
    ),
    "fr": Abbreviations(
        never=_words(
            "mm m mmes mlles mgr me pr drs vve ste sts stes cf env c.-à-d c.à.d p.ex ex boul bd bld av"
            " approx cad resp dir gal gén cdt cne lt adj tél"
        ),
        numbered=_words(
            "n nº n° nos vols figs chap ch art pag tome t sect éd ann janv févr fév avr juil sept oct"
            " nov déc lun mar mer jeu ven sam dim par al tab th min max réf ref"
            " trim sem arr ét"
        ),
        closing=_words("etc h sec"),
        either=_words("pl j.-c av.j.-c apr.j.-c s.a s.a.r.l r.a.t.p s.n.c.f u.e o.n.u é.-u é.u e.u cie"),
        starters=_words(
            "le la les l un une il elle ils elles nous vous je j tu on ce c cette ces cela ça mais et"
            " puis alors dans en à au aux si quand que qu comment pourquoi qui où mon ma son sa leur pour"
            " après avant d n y a est de des du par avec sans depuis aujourd hier demain ensuite enfin"
            " voici voilà oui non ne tout toute tous"
        ),
    ),
    "es": Abbreviations(
        never=_words(
            "sr sra srta sres sras dra dres d dña prof profa lic ing arq gral cap cmdte cnel tte sta fray"
            " ud uds vd vds av avda avd pza plza p.ej ej aprox tel tfno teléf izq dcha excmo excma ilmo"
            " ilma mons adm atte depto dpto cf cfr vid v.gr ee jj ff cc rr aa"
        ),
        numbered=_words(
            "n nº n° núm núms nro pág págs pg vols figs cap caps art arts tomo t ed edic párr ap apdo ene"
            " feb mar abr may jun jul ago sep sept oct nov dic lun mié jue vie sáb dom ss tab"
            " mín máx min max hab ref exp"
        ),
        closing=_words("a.m p.m etc hrs seg kg km"),
        either=_words(
            "ee.uu a.c d.c s.a s.l s.a.c r.a.e o.n.u u.e ltda cía jj.oo ff.aa cc.oo rr.hh s.m c.f prov"
        ),
        starters=_words(
            "el la los las un una unos unas él ella ellos ellas nosotros yo tú usted ustedes esto esta"
            " este estos estas eso ese esa pero y luego entonces en si cuando qué cómo por para después"
            " antes su sus mi se no sí lo le les hay es son fue era al del con sin desde hoy ayer mañana"
            " aquí ahora también además todo todos que quién dónde cuál cuánto porque aunque mientras"
        ),
    ),
    "it": Abbreviations(
        never=_words(
            "sig sig.ra sig.na sigg sigg.ri sig.ri dott dott.ssa prof.ssa ing avv geom sen ss egr gent"
            " gent.ma ill mons gen cap magg p.es es ad.es cfr v vs approx ca tel op cit lgt sant c.a c.so"
            " v.le p.za p.zza v.lo loc fraz ecc.mo"
        ),
        numbered=_words(
            "n nn n° num pag pagg pg vol voll fig figg cap capp art artt tab par ed t tomo gen feb mar"
            " apr mag giu lug ago set sett ott nov dic lun mer gio ven sab dom cell sec secc min max"
            " co rif proc int"
        ),
        closing=_words("ecc eccetera etc kg km"),
        either=_words(
            "a.c d.c s.p.a s.r.l s.n.c s.a.s u.e o.n.u u.s.a c.v f.lli p.iva d.o.c i.v.a ten rag arch col on"
        ),
        starters=_words(
            "il lo la i gli le un uno una l lui lei loro noi voi io tu questo questa questi quello quella"
            " ma e poi allora in se quando che come perché chi dove mio suo per dopo prima non sì si è c"
            " sono ho ha hanno con da di del della nel nella oggi ieri domani qui ora anche inoltre tutto"
            " tutti quindi però mentre"
        ),
    ),
    "pt": Abbreviations(
        never=_words(
            "sr sra srs sras srta dra drs dras prof profa profª eng enga exmo exma v.exa v.ex.ª ilmo ilma"
            " d av trav pça pç p.ex ex aprox tel cel gal ten cap maj sta fr cf cfr depto adm"
        ),
        numbered=_words(
            "n nº n.º n° núm pág págs pg vols figs cap caps art arts tomo t ed jan fev mar abr mai jun"
            " jul ago set out nov dez seg ter qua qui sex sáb dom séc sécs mín máx min max apto apt"
            " tab bl ap ref proc"
        ),
        closing=_words("a.m p.m etc kg km"),
        either=_words("a.c d.c s.a ltda cia c.ia e.u.a eua u.e o.n.u"),
        starters=_words(
            "o a os as um uma ele ela eles elas nós eu tu você vocês isto isso este esta estes esse essa"
            " mas e depois então em no na nos nas se quando que como por para antes seu sua meu não sim é"
            " há foi são era com sem desde hoje ontem amanhã aqui agora também além tudo todos quem onde"
            " qual porque embora enquanto do da"
        ),
    ),
    "ru": Abbreviations(
        never=_words(
            "т.е т.к т.н т.о т ул пр-т просп пер пл наб бул б-р ш д кв корп ст см ср им проф акад доц г-н"
            " г-жа г-на тов напр англ нем фр лат исп итал греч тел обл р-н дол долл ок род ум гр инж с п ч"
            " к зам зав св прим соч изд отв мл сокр мн ед ж м о оз р жен муж букв в.т.ч"
        ),
        numbered=_words(
            "рис табл гл стр разд пп пункт № илл вып параграф строка янв февр апр авг сент окт нояб дек"
            " мин макс каб"
        ),
        closing=_words("т.д т.п и.т.д и.т.п др и.др и.пр"),
        either=_words(
            "г гг в вв н.э до.н.э руб коп сек час чел экз шт км кг см ооо оао зао сша пр тыс млн млрд"
        ),
        starters=_words(
            "он она оно они мы вы я ты это этот эта эти но и а потом затем в на если когда что как почему"
            " кто где мой его её их для после до не да нет там тут здесь у с к по из за так сейчас теперь"
            " тогда все всё при от однако также сегодня вчера завтра поэтому хотя пока был была было были"
            " есть"
        ),
    ),
}


def _joined(one: Abbreviations, other: Abbreviations) -> Abbreviations:
    return Abbreviations(
        one.never | other.never,
        one.numbered | other.numbered,
        one.closing | other.closing,
        one.either | other.either,
        one.starters | other.starters,
    )


_BY_LANGUAGE = {language: _joined(table, _COMMON) for language, table in _TABLES.items()}
_ELSEWHERE = _BY_LANGUAGE["en"]

#: Every abbreviation of any language: a word that is not among them needs no language to be known.
ALL = frozenset().union(
    *(table.never | table.numbered | table.closing | table.either for table in _BY_LANGUAGE.values())
)


def abbreviations(language: str) -> Abbreviations:
    """Those of `language` (ISO 639-1); of a language without a table, the English ones."""
    return _BY_LANGUAGE.get(language, _ELSEWHERE)


#: English: with a capital and before a name they are a part of it: "Ft. Bragg", "Pt. Reyes".
BEFORE_NAME = _words("ft pt")

#: English: a letter may follow as it does a number: "Ex. B", and "Art. I" if they have a capital.
LETTERED = _words("art ex ch chap vol sec sect fig figs pt bk tab app apt ste rm")

#: German: a number before these is an ordinal ("der 2. Weltkrieg").
GERMAN_AFTER_ORDINAL = _words(
    "januar jänner februar feber märz april mai juni juli august september oktober november"
    " dezember jan feb mär apr jun jul aug sep sept okt nov dez weltkrieg jahrhundert jahrhunderts"
    " jahrhunderten jahrtausend stock stockwerk etage platz rang klasse liga bundesliga kapitel"
    " auflage mal geburtstag tag woche monat jahr quartal halbjahr runde spieltag minute stunde"
    " versuch teil band akt szene satz symphonie sinfonie staffel folge reihe semester schritt"
    " punkt absatz artikel strophe advent generation person hochzeitstag jahrestag jubiläum"
    " obergeschoss untergeschoss og ug bezirk armee division batterie gang lebensjahr lebensmonat"
    " schuljahr tür aufl ausg"
)
#: German: a number after these is an ordinal too ("am 3.").
GERMAN_BEFORE_ORDINAL = _words(
    "am der die das den dem des im zum zur vom beim ab bis seit ihr ihre ihrem ihren sein seine"
    " seinem seinen mein meine meinem meinen unser unsere unserem jeder jede jedes jeden jedem"
    " dieser diese dieses diesem diesen montag dienstag mittwoch donnerstag freitag samstag"
    " sonntag"
)

#: What follows "5 p.m." and still belongs to it.
AFTER_TIME = _words(
    "est edt pst pdt cst cdt mst mdt gmt utc bst cet cest et pt ct mt eastern pacific central"
    " mountain monday tuesday wednesday thursday friday saturday sunday"
)

#: "At 5 p.m." is no sentence.
BEFORE_TIME = _words("at by around about before after from until till since on")

#: Days that a date goes on after: "Monday, May 5".
WEEKDAYS = _words(
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag"
    " freitag samstag sonntag"
)

#: Names that end in an exclamation mark.
EXCLAIMING = _words("yahoo jeopardy wham oklahoma joomla kahoot")

#: Ordinary words that sentencex takes for abbreviations.
NO_ABBREVIATIONS = _words(
    "me ok may la va id miss ill ore ma pa fed del con re que ass al so sens ll bart cal mo ga in"
    " an to is it as bien auto mini vice extra super doc bis mono contra sub sobre entre neo geo"
    " iso para pro anti post inter sing set te mai"
)
