"""Spanish tables: units, currencies, abbreviations, letters, and words that tell how a number is read."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Noun
from realtime.text.normalize.romance.shared import Genders, currencies, nouns, pairs, words

UNITS = {
    **nouns(
        "de",
        """
        km = kilómetro = kilómetros
        m = metro = metros
        cm = centímetro = centímetros
        mm = milímetro = milímetros
        kg Kg = kilo = kilos
        g gr = gramo = gramos
        mg = miligramo = miligramos
        l L = litro = litros
        ml mL = mililitro = mililitros
        cl = centilitro = centilitros
        dl = decilitro = decilitros
        m² m2 = metro cuadrado = metros cuadrados
        km² km2 = kilómetro cuadrado = kilómetros cuadrados
        cm² cm2 = centímetro cuadrado = centímetros cuadrados
        m³ m3 = metro cúbico = metros cúbicos
        cm³ cm3 = centímetro cúbico = centímetros cúbicos
        km/h = kilómetro por hora = kilómetros por hora
        m/s = metro por segundo = metros por segundo
        °C ºC = grado Celsius = grados Celsius
        °F ºF = grado Fahrenheit = grados Fahrenheit
        ° = grado = grados
        min min. = minuto = minutos
        s seg seg. = segundo = segundos
        ms = milisegundo = milisegundos
        kB KB = kilobyte = kilobytes
        MB = mega = megas
        GB = giga = gigas
        TB = tera = teras
        Mbps Mb/s = megabit por segundo = megabits por segundo
        Gbps Gb/s = gigabit por segundo = gigabits por segundo
        MB/s = mega por segundo = megas por segundo
        GB/s = giga por segundo = gigas por segundo
        Hz = hercio = hercios
        kHz = kilohercio = kilohercios
        MHz = megahercio = megahercios
        GHz = gigahercio = gigahercios
        W = vatio = vatios
        kW = kilovatio = kilovatios
        MW = megavatio = megavatios
        kWh = kilovatio hora = kilovatios hora
        V = voltio = voltios
        dB = decibelio = decibelios
        px = píxel = píxeles
        hab. = habitante = habitantes
        mAh = miliamperio hora = miliamperios hora
        Ah = amperio hora = amperios hora
        kJ = kilojulio = kilojulios
        µg mcg = microgramo = microgramos
        bar = bar = bares
        dm = decímetro = decímetros
        CV = caballo = caballos
        mmHg mm_Hg = milímetro de mercurio = milímetros de mercurio
        """,
    ),
    **nouns(
        "de",
        """
        h hs = hora = horas
        t = tonelada = toneladas
        cal = caloría = calorías
        kcal = kilocaloría = kilocalorías
        cdta. cdita. = cucharadita = cucharaditas
        cdtas. cditas. = cucharadita = cucharaditas
        cda. cdas. = cucharada = cucharadas
        hrs hrs. = hora = horas
        """,
        "f",
    ),
    "%": Noun(("por ciento",), ""),
    "‰": Noun(("por mil",), ""),
}

#: After a slash.
PER = pairs(
    """
    h = por hora
    s = por segundo
    min = por minuto
    día = al día
    semana = por semana
    mes = al mes
    año = al año
    noche = por noche
    persona = por persona
    ud. = por unidad
    dl = por decilitro
    kg = por kilo
    l = por litro
    L = por litro
    ml = por mililitro
    m = por metro
    m² = por metro cuadrado
    m2 = por metro cuadrado
    m³ = por metro cúbico
    km = por kilómetro
    km² = por kilómetro cuadrado
    kWh = por kilovatio hora
    GB = por giga
    """
)

CURRENCIES = currencies(
    "de",
    ("millón", "millones"),
    """
    € EUR = m euro, euros = céntimo, céntimos
    $ US$ USD = m dólar, dólares = centavo, centavos
    £ GBP = f libra, libras = penique, peniques
    ¥ JPY = m yen, yenes
    MXN MX$ = m peso mexicano, pesos mexicanos = centavo, centavos
    CLP CLP$ = m peso chileno, pesos chilenos
    PEN S/ = m sol, soles = céntimo, céntimos
    ARS AR$ = m peso argentino, pesos argentinos = centavo, centavos
    COP COL$ = m peso colombiano, pesos colombianos = centavo, centavos
    CHF = m franco suizo, francos suizos = céntimo, céntimos
    R$ BRL = m real, reales = centavo, centavos
    """,
)
#: Codes that say what "$" stands for.
DOLLARS = ("MXN", "ARS", "COP", "CLP", "USD")
#: Before a currency, which follows these words.
MONEY_MAGNITUDES = {
    "mil": Noun(("mil",)),
    **dict.fromkeys(("M", "millón", "millones", "mill.", "mm"), Noun(("millón de", "millones de"))),
    **dict.fromkeys(("B", "bn", "mil millones"), Noun(("mil millones de",))),
}

ABBREVIATIONS = pairs(
    """
    Sr. = señor
    Sra. = señora
    Srta. = señorita
    Sres. = señores
    Sras. = señoras
    Dr. = doctor
    Dra. = doctora
    Dres. = doctores
    Dña. = doña
    D.ª = doña
    Dª = doña
    M.ª = María
    Mª = María
    Prof. = profesor
    Profa. = profesora
    Lic. = licenciado
    Ing. = ingeniero
    Gral. = general
    Ud. = usted
    Uds. = ustedes
    Vd. = usted
    Vds. = ustedes
    EE. UU. = Estados Unidos
    EEUU = Estados Unidos
    JJ. OO. = Juegos Olímpicos
    RR. HH. = recursos humanos
    FF. AA. = Fuerzas Armadas
    p. ej. = por ejemplo
    P. D. = posdata
    etc. = etcétera
    a. m. = a eme
    p. m. = pe eme
    am = a eme
    pm = pe eme
    s. a. = ese a
    s. l. = ese ele
    Avda. = avenida
    Av. = avenida
    Pza. = plaza
    Pl. = plaza
    Ctra. = carretera
    Cía. = compañía
    tel. = teléfono
    tfno. = teléfono
    aprox. = aproximadamente
    n.º = número
    n.° = número
    nº = número
    n° = número
    cdta. = cucharadita
    cda. = cucharada
    cf. = confróntese
    y ss. = y siguientes
    cfr. = confróntese
    i. e. = es decir
    hab. = habitantes
    Cta. = cuenta
    vs. = versus
    vs = versus
    dcha. = derecha
    izda. = izquierda
    izq. = izquierda
    máx. = máximo
    mín. = mínimo
    págs. = páginas
    Excmo. = excelentísimo
    Excma. = excelentísima
    Ilmo. = ilustrísimo
    Ilma. = ilustrísima
    Admón. = administración
    Dpto. = departamento
    Depto. = departamento
    """
)
BEFORE_NUMBER = pairs(
    """
    núm. = número
    núms. = números
    nro. = número
    pág. = página
    pp. = páginas
    p. = página
    art. = artículo
    arts. = artículos
    cap. = capítulo
    caps. = capítulos
    vol. = volumen
    fig. = figura
    tít. = título
    apdo. = apartado
    km. = kilómetro
    km = kilómetro
    tab. = tabla
    min. = minuto
    ref. = referencia
    exp. = expediente
    § = párrafo
    máx. = máximo
    mín. = mínimo
    """
)
BEFORE_NAME = pairs(
    """
    Sto. = Santo
    Sta. = Santa
    Fr. = fray
    Gob. = gobernador
    Cap. = capitán
    Cnel. = coronel
    c/ = calle
    C/ = calle
    """
)
#: Those that a speech engine would read as words.
SPELLED = words(
    "IA UE UK EPS URL USB IBM IRPF ADN ARN EGB ITV ATM IMC VIH TDAH IP ID IT UI UX OCR OCDE "
    "IPC UAB UGT ONG OMS XL XXL HDMI SQL AI UPV URSS"
)

LETTERS = pairs(
    """
    A = a
    Á = a con acento
    B = be
    C = ce
    D = de
    E = e
    F = efe
    G = ge
    H = hache
    I = i
    J = jota
    K = ka
    L = ele
    M = eme
    N = ene
    Ñ = eñe
    O = o
    P = pe
    Q = cu
    R = erre
    S = ese
    T = te
    U = u
    V = uve
    W = uve doble
    X = equis
    Y = ye
    Z = zeta
    """
)
SIGN_NAMES = {
    ".": "punto",
    ",": "coma",
    ":": "dos puntos",
    ";": "punto y coma",
    "/": "barra",
    "\\": "barra invertida",
    "-": "guion",
    "_": "guion bajo",
    "@": "arroba",
    "#": "almohadilla",
    "?": "interrogación",
    "!": "exclamación",
    "=": "igual",
    "&": "y",
    "+": "más",
    "*": "asterisco",
    "%": "por ciento",
    "~": "virgulilla",
    "(": "abre paréntesis",
    ")": "cierra paréntesis",
    "€": "euro",
    "$": "dólar",
}
SIGNS = {
    "&": "y",
    "+": "más",
    "=": "igual a",
    "±": "más menos",
    "\u00d7": "por",
    "÷": "entre",
    "~": "unos",
    "≈": "unos",
    "≠": "distinto de",
    "<": "menor que",
    ">": "mayor que",
    "≤": "menor o igual que",
    "≥": "mayor o igual que",
    "\u2212": "menos",
}
INCH = Noun(("pulgada", "pulgadas"), "f")

GENDERS = Genders(
    feminine_endings=(
        *("a", "as", "ción", "ciones", "sión", "siones", "dad", "dades", "tad", "tades", "tud", "tudes"),
        *("umbre", "umbres", "eces", "triz", "trices"),
    ),
    masculine_endings=("ema", "emas", "grama", "gramas", "ista", "istas", "oma", "omas", "eses", "peces"),
    feminine=words(
        "vez veces mujer mujeres noche noches calle calles clase clases parte partes llave llaves "
        "frase frases tarde tardes nave naves imagen imágenes orden órdenes mano manos foto fotos "
        "moto motos flor flores luz luces voz voces cruz cruces red redes piel pieles sal cárcel "
        "cárceles torre torres base bases fase fases nube nubes serie series especie especies "
        "superficie superficies muerte muertes fuente fuentes gente leche carne sangre suerte "
        "señal señales capital capitales razón razones canción canciones versión versiones opción "
        "opciones habitación habitaciones mitad tribu tribus radio radios yema yemas crema cremas "
        "goma gomas broma bromas paloma palomas coma comas página páginas crisis tesis síntesis "
        "hélice hélices variable variables constante constantes pared paredes ley leyes sede "
        "sedes costumbre costumbres"
    ),
    masculine=words(
        "dálmata dálmatas "
        "día días mapa mapas planeta planetas poeta poetas atleta atletas idioma idiomas clima "
        "climas cometa cometas tema temas sofá sofás papá papás guardia guardias yoga pijama "
        "pijamas tranvía tranvías colega colegas fantasma fantasmas drama dramas trauma traumas "
        "gas avión aviones camión camiones millón millones billón billones jueces meses interés "
        "intereses viernes lunes martes jueves miércoles atlas gramas"
    ),
    not_nouns=words(
        "a al ante bajo con contra de del desde durante e el ella en entre es era eran está están "
        "fue fueron ha han hasta hay la las le les lo los más menos mientras ni no nos o para "
        "pero por porque que qué se sea según ser si sí sin sobre son su sus también tras tu tus "
        "u un una y ya yo como cuando cada donde da dan sería tiene tienen va van me te mil así "
        "ahora aquí allí luego después antes nunca tanto todo ayer"
    ),
)

#: Rulers and popes, with their gender.
NAMES = {
    **dict.fromkeys(
        words(
            "Felipe Carlos Alfonso Fernando Luis Enrique Jaime Pedro Sancho Juan Pablo Benedicto Pío "
            "León Gregorio Inocencio Clemente Urbano Alejandro Napoleón Jorge Guillermo Eduardo "
            "Ricardo Jacobo Francisco Amadeo José Ramón Ramiro Ordoño Bermudo Federico Nicolás Iván "
            "Leopoldo Alberto Balduino Constantino Teodosio Ramsés Darío Ptolomeo Seti Tutmosis "
            "Amenofis Julio Sixto Bonifacio Calixto Celestino Honorio Manuel Maximiliano Rodolfo "
            "Víctor Humberto Gustavo Olaf Haakon Cristian Harald"
        ),
        "m",
    ),
    **dict.fromkeys(
        words("Isabel Catalina María Juana Margarita Beatriz Cristina Ana Leonor Victoria Cleopatra"), "f"
    ),
}
CENTURIES = words("siglo siglos")
NUMBERED = words(
    "capítulo capítulos tomo volumen parte acto escena artículo título libro tipo fase nivel "
    "grado anexo sección tema canto factor clase categoría grupo etapa temporada episodio "
    "apartado apéndice"
)
ARTICLES = words("el la los las del al un una su mi este esta")
SINGULAR_ARTICLES = words("el del al un cada")
EVENTS = words(
    "centenario aniversario guerra guerras congreso cumbre república internacional jornadas "
    "jornada edición concilio milenio"
)
