"""Italian tables: units, currencies, abbreviations, letters, and words that tell how a number is read."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Noun
from realtime.text.normalize.romance.shared import Genders, currencies, nouns, pairs, words

UNITS = {
    **nouns(
        "di",
        """
        km Km = chilometro = chilometri
        m = metro = metri
        cm = centimetro = centimetri
        mm = millimetro = millimetri
        kg Kg = chilo = chili
        hg = etto = etti
        g gr = grammo = grammi
        mg = milligrammo = milligrammi
        l L = litro = litri
        ml mL = millilitro = millilitri
        cl = centilitro = centilitri
        dl = decilitro = decilitri
        m² m2 mq = metro quadrato = metri quadrati
        km² km2 kmq = chilometro quadrato = chilometri quadrati
        cm² cm2 = centimetro quadrato = centimetri quadrati
        m³ m3 mc = metro cubo = metri cubi
        cm³ cm3 = centimetro cubo = centimetri cubi
        km/h Km/h = chilometro all'ora = chilometri all'ora
        m/s = metro al secondo = metri al secondo
        °C ºC = grado Celsius = gradi Celsius
        °F ºF = grado Fahrenheit = gradi Fahrenheit
        ° = grado = gradi
        min min. = minuto = minuti
        s sec sec. = secondo = secondi
        ms = millisecondo = millisecondi
        kB KB = kilobyte = kilobyte
        MB = mega = mega
        GB = giga = giga
        TB = tera = tera
        Mbps Mb/s = megabit al secondo = megabit al secondo
        Gbps Gb/s = gigabit al secondo = gigabit al secondo
        MB/s = mega al secondo = mega al secondo
        GB/s = giga al secondo = giga al secondo
        Hz = hertz = hertz
        kHz = chilohertz = chilohertz
        MHz = megahertz = megahertz
        GHz = gigahertz = gigahertz
        W = watt = watt
        kW = chilowatt = chilowatt
        MW = megawatt = megawatt
        kWh = chilowattora = chilowattora
        V = volt = volt
        dB = decibel = decibel
        px = pixel = pixel
        ab. = abitante = abitanti
        q = quintale = quintali
        mAh = milliampere ora = milliampere ora
        Ah = ampere ora = ampere ora
        kJ = chilojoule = chilojoule
        µg mcg = microgrammo = microgrammi
        bar = bar = bar
        dm = decimetro = decimetri
        CV = cavallo = cavalli
        mmHg mm_Hg = millimetro di mercurio = millimetri di mercurio
        """,
    ),
    **nouns(
        "di",
        """
        h = ora = ore
        t = tonnellata = tonnellate
        cal = caloria = calorie
        kcal = chilocaloria = chilocalorie
        """,
        "f",
    ),
    "%": Noun(("per cento",), ""),
    "‰": Noun(("per mille",), ""),
}

#: After a slash.
PER = pairs(
    """
    h = all'ora
    ora = all'ora
    s = al secondo
    min = al minuto
    giorno = al giorno
    settimana = alla settimana
    mese = al mese
    anno = all'anno
    notte = a notte
    persona = a persona
    dl = al decilitro
    kg = al chilo
    l = al litro
    L = al litro
    ml = al millilitro
    m = al metro
    m² = al metro quadrato
    m2 = al metro quadrato
    mq = al metro quadrato
    m³ = al metro cubo
    km = al chilometro
    km² = al chilometro quadrato
    kWh = al chilowattora
    GB = al giga
    """
)

CURRENCIES = currencies(
    "di",
    ("milione", "milioni"),
    """
    € EUR = m euro, euro = centesimo, centesimi
    $ US$ USD = m dollaro, dollari = centesimo, centesimi
    £ GBP = f sterlina, sterline = penny, penny
    ¥ JPY = m yen, yen
    CHF = m franco svizzero, franchi svizzeri = centesimo, centesimi
    R$ BRL = m real, real = centesimo, centesimi
    """,
)
#: Before a currency, which follows these words.
MONEY_MAGNITUDES = {
    "mila": Noun(("mila",)),
    **dict.fromkeys(("M", "mln", "mio", "milione", "milioni"), Noun(("milione di", "milioni di"))),
    **dict.fromkeys(("B", "bn", "mld", "mrd", "miliardo", "miliardi"), Noun(("miliardo di", "miliardi di"))),
}
ABBREVIATIONS = pairs(
    """
    Sig. = signor
    Sig.ra = signora
    Sig.na = signorina
    Sigg. = signori
    Dott. = dottor
    Dr. = dottor
    Dott.ssa = dottoressa
    Dr.ssa = dottoressa
    D.ssa = dottoressa
    Prof. = professor
    Prof.ssa = professoressa
    Proff. = professori
    Avv. = avvocato
    Ing. = ingegner
    Arch. = architetto
    Geom. = geometra
    Rag. = ragionier
    Mons. = monsignor
    Gent.mo = gentilissimo
    Gent.ma = gentilissima
    Egr. = egregio
    Spett.le = spettabile
    Ill.mo = illustrissimo
    ecc. = eccetera
    p. es. = per esempio
    ad es. = ad esempio
    per es. = per esempio
    cfr. = confronta
    ca. = circa
    e ss. = e seguenti
    n° = numero
    nº = numero
    vs. = contro
    vs = contro
    N. B. = nota bene
    P. S. = post scriptum
    S. p. A. = esse pi a
    S. r. l. = esse erre elle
    S. n. c. = esse enne ci
    F.lli = fratelli
    P.za = piazza
    P.zza = piazza
    V.le = viale
    C.so = corso
    tel. = telefono
    cell. = cellulare
    c/o = presso
    max. = massimo
    min. = minimo
    pagg. = pagine
    mln = milioni
    mld = miliardi
    prov. = provincia
    """
)
BEFORE_NUMBER = pairs(
    """
    n. = numero
    nr. = numero
    nn. = numeri
    pag. = pagina
    pp. = pagine
    p. = pagina
    art. = articolo
    artt. = articoli
    cap. = capitolo
    capp. = capitoli
    vol. = volume
    voll. = volumi
    fig. = figura
    tav. = tavola
    par. = paragrafo
    km. = chilometro
    km = chilometro
    h = ore
    co. = comma
    tab. = tabella
    rif. = riferimento
    int. = interno
    proc. = procedimento
    max = massimo
    min = minimo
    § = paragrafo
    """
)
BEFORE_NAME = pairs(
    """
    Sen. = senatore
    On. = onorevole
    on. = onorevole
    Gen. = generale
    Col. = colonnello
    Cap. = capitano
    Card. = cardinal
    Ss. = santi
    SS. = santi
    """
)
#: Those that a speech engine would read as words or not at all.
SPELLED = words(
    "IA AI BMI UE UK FMI NBA DNI HTML BCE GPU CGIL IP ID IT UI UX OMS ONG OGM ATM SQL HDMI IBM URL XL XXL"
)

LETTERS = pairs(
    """
    A = a
    B = bi
    C = ci
    D = di
    E = e
    F = effe
    G = gi
    H = acca
    I = i
    J = i lunga
    K = kappa
    L = elle
    M = emme
    N = enne
    O = o
    P = pi
    Q = cu
    R = erre
    S = esse
    T = ti
    U = u
    V = vu
    W = doppia vu
    X = ics
    Y = ipsilon
    Z = zeta
    """
)
SIGN_NAMES = {
    ".": "punto",
    ",": "virgola",
    ":": "due punti",
    ";": "punto e virgola",
    "/": "barra",
    "\\": "barra rovesciata",
    "-": "trattino",
    "_": "trattino basso",
    "@": "chiocciola",
    "#": "cancelletto",
    "?": "punto interrogativo",
    "!": "punto esclamativo",
    "=": "uguale",
    "&": "e",
    "+": "più",
    "*": "asterisco",
    "%": "per cento",
    "~": "tilde",
    "(": "aperta parentesi",
    ")": "chiusa parentesi",
    "€": "euro",
    "$": "dollaro",
}
SIGNS = {
    "&": "e",
    "+": "più",
    "=": "uguale",
    "±": "più o meno",
    "\u00d7": "per",
    "÷": "diviso",
    "~": "circa",
    "≈": "circa",
    "≠": "diverso da",
    "<": "minore di",
    ">": "maggiore di",
    "≤": "minore o uguale a",
    "≥": "maggiore o uguale a",
    "\u2212": "meno",
}
INCH = Noun(("pollice", "pollici"))

GENDERS = Genders(
    feminine_endings=("a", "zione", "sione", "gione", "tà", "tù", "trice", "udine"),
    masculine_endings=("ema", "amma", "ista", "oma"),
    feminine_plurals=("e", "zioni", "sioni", "tà"),
    feminine=words(
        "notte parte chiave frase classe base fase nave immagine mano foto moto auto luce voce "
        "croce rete pelle torre nube serie specie superficie morte fonte gente carne madre moglie "
        "crisi tesi sintesi canzone legge sede parete radio mail email app star chat password "
        "pagina volte domanda forma firma fiamma gamma mamma settimana bottiglia opinione "
        "stazione lezione ragione regione stagione fetta cena somma gomma crema febbre neve "
        "estate corrente mente arte arteria chiesa"
    ),
    masculine=words(
        "problema sistema programma tema pianeta poeta atleta clima cinema papa diploma dilemma "
        "panorama dramma delta duca collega pilota"
    ),
    not_nouns=words(
        "a ad al alla alle agli ai allo con contro da dal dalla di del della delle dei degli e ed "
        "è era erano in il la le lo gli i ma meno nel nella né non o oppure per perché più poi "
        "quando quanto su sul sulla se si sono sta stato tra fra un una uno come che chi ci ha "
        "hanno ho anche ancora già dopo prima sotto sopra senza mila va viene fa ogni adesso "
        "tutto intorno attorno durante ieri alcuni"
    ),
)

#: Rulers and popes, with their gender.
NAMES = {
    **dict.fromkeys(
        words(
            "Emanuele Umberto Amedeo Carlo Felice Alberto Luigi Enrico Filippo Ferdinando Francesco "
            "Giuseppe Paolo Giovanni Pio Benedetto Leone Gregorio Innocenzo Clemente Urbano "
            "Alessandro Napoleone Giorgio Guglielmo Edoardo Riccardo Giacomo Federico Ottone Nicola "
            "Leopoldo Costantino Teodosio Ramses Dario Tolomeo Sisto Bonifacio Callisto Celestino "
            "Onorio Giulio Cosimo Massimiliano Rodolfo Corrado Martino Eugenio Adriano Stefano "
            "Silvestro Vittorio Pietro Alfonso"
        ),
        "m",
    ),
    **dict.fromkeys(
        words("Elisabetta Caterina Maria Giovanna Margherita Cristina Anna Vittoria Cleopatra"), "f"
    ),
}
CENTURIES = words("secolo secoli")
NUMBERED = words(
    "capitolo capitoli tomo volume parte atto scena articolo titolo libro tipo fase livello "
    "grado allegato sezione canto fattore classe categoria gruppo tappa stagione episodio "
    "paragrafo appendice"
)
ARTICLES = words(
    "il la lo i le gli del della dello dei delle al alla allo nel nella nello dal dalla sul sulla un una"
)
EVENTS = words(
    "centenario anniversario guerra guerre congresso vertice repubblica internazionale "
    "giornata edizione concilio secolo millennio"
)
SINGULAR_ARTICLES = words(
    "arrivato classificato piazzato il lo del dello al allo nel nello dal dallo sul un ogni"
)
MALE_SAINTS = words(
    "Pietro Paolo Marco Luca Matteo Giovanni Giuseppe Francesco Domenico Benedetto Lorenzo "
    "Martino Nicola Vincenzo Gennaro Carlo Filippo Giorgio Michele Bernardo Siro Vitale "
    "Giacomo Tommaso Bartolomeo Donato Gottardo Sebastiano Silvestro Babila Petronio Rocco "
    "Cristoforo Felice Gregorio Leonardo Luigi Valentino"
)
FEMALE_SAINTS = words(
    "Maria Lucia Chiara Croce Caterina Teresa Rita Margherita Marta Cecilia Barbara Maddalena "
    "Monica Rosalia Giulia Sofia Teodora Sabina Prassede Cristina Elisabetta"
)
SAINTS_WITH_VOWEL = words(
    "Antonio Ambrogio Agostino Andrea Anna Agata Agnese Angelo Elena Elia Ermete Eustachio "
    "Eufemia Ignazio Ippolito Ilario Isidoro Onofrio Omobono Orsola Oronzo Ubaldo Urbano "
    "Arcangelo Alessandro Alessio Apollinare Egidio Emidio Eusebio Erasmo Eligio Agapito "
    "Eulalia"
)
