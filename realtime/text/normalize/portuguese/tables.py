"""Portuguese tables: units, currencies, abbreviations, letters, and words that tell how a number is read."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Noun
from realtime.text.normalize.romance.shared import Genders, currencies, nouns, pairs, words

UNITS = {
    **nouns(
        "de",
        """
        km Km = quilómetro = quilómetros
        m = metro = metros
        cm = centímetro = centímetros
        mm = milímetro = milímetros
        kg Kg = quilo = quilos
        g gr = grama = gramas
        mg = miligrama = miligramas
        l L = litro = litros
        ml mL = mililitro = mililitros
        cl = centilitro = centilitros
        dl = decilitro = decilitros
        m² m2 = metro quadrado = metros quadrados
        km² km2 = quilómetro quadrado = quilómetros quadrados
        cm² cm2 = centímetro quadrado = centímetros quadrados
        m³ m3 = metro cúbico = metros cúbicos
        cm³ cm3 = centímetro cúbico = centímetros cúbicos
        ha = hectare = hectares
        km/h Km/h = quilómetro por hora = quilómetros por hora
        m/s = metro por segundo = metros por segundo
        °C ºC = grau Celsius = graus Celsius
        °F ºF = grau Fahrenheit = graus Fahrenheit
        ° = grau = graus
        min min. = minuto = minutos
        s seg seg. = segundo = segundos
        ms = milissegundo = milissegundos
        kB KB = kilobyte = kilobytes
        MB = mega = megas
        GB = giga = gigas
        TB = tera = teras
        Mbps Mb/s = megabit por segundo = megabits por segundo
        Gbps Gb/s = gigabit por segundo = gigabits por segundo
        MB/s = mega por segundo = megas por segundo
        GB/s = giga por segundo = gigas por segundo
        Hz = hertz = hertz
        kHz = quilohertz = quilohertz
        MHz = mega-hertz = mega-hertz
        GHz = giga-hertz = giga-hertz
        W = watt = watts
        kW = quilowatt = quilowatts
        MW = megawatt = megawatts
        kWh = quilowatt-hora = quilowatts-hora
        V = volt = volts
        dB = decibel = decibéis
        px = píxel = píxeis
        hab. = habitante = habitantes
        mAh = miliampere-hora = miliamperes-hora
        Ah = ampere-hora = amperes-hora
        kJ = quilojoule = quilojoules
        µg mcg = micrograma = microgramas
        bar = bar = bares
        dm = decímetro = decímetros
        cv = cavalo = cavalos
        mmHg mm_Hg = milímetro de mercúrio = milímetros de mercúrio
        """,
    ),
    **nouns(
        "de",
        """
        h hs = hora = horas
        t = tonelada = toneladas
        cal = caloria = calorias
        kcal = quilocaloria = quilocalorias
        """,
        "f",
    ),
    "%": Noun(("por cento",), ""),
    "‰": Noun(("por mil",), ""),
}

#: After a slash.
PER = pairs(
    """
    h = por hora
    hora = por hora
    s = por segundo
    min = por minuto
    dia = por dia
    semana = por semana
    mês = por mês
    ano = por ano
    noite = por noite
    pessoa = por pessoa
    dl = por decilitro
    un. = por unidade
    kg = por quilo
    l = por litro
    L = por litro
    ml = por mililitro
    m = por metro
    m² = por metro quadrado
    m2 = por metro quadrado
    m³ = por metro cúbico
    km = por quilómetro
    km² = por quilómetro quadrado
    kWh = por quilowatt-hora
    GB = por giga
    """
)

CURRENCIES = currencies(
    "de",
    ("milhão", "milhões"),
    """
    € EUR = m euro, euros = cêntimo, cêntimos
    $ US$ USD = m dólar, dólares = cêntimo, cêntimos
    R$ BRL = m real, reais = centavo, centavos
    £ GBP = f libra, libras = péni, pence
    ¥ JPY = m iene, ienes
    CHF = m franco suíço, francos suíços = cêntimo, cêntimos
    """,
)
#: Before a currency, which follows these words.
MONEY_MAGNITUDES = {
    "mil": Noun(("mil",)),
    **dict.fromkeys(("M", "mi", "milhão", "milhões"), Noun(("milhão de", "milhões de"))),
    **dict.fromkeys(("bilhão", "bilhões", "bi"), Noun(("bilhão de", "bilhões de"))),
    **dict.fromkeys(("B", "bn", "mil milhões"), Noun(("mil milhões de",))),
}

ABBREVIATIONS = pairs(
    """
    Sr. = senhor
    Sra. = senhora
    Sr.ª = senhora
    Srª. = senhora
    Srª = senhora
    Srs. = senhores
    Sras. = senhoras
    Dr. = doutor
    Dra. = doutora
    Dr.ª = doutora
    Drª. = doutora
    Drª = doutora
    Drs. = doutores
    Prof. = professor
    Profa. = professora
    Prof.ª = professora
    Profª = professora
    Eng. = engenheiro
    Eng.º = engenheiro
    Eng.ª = engenheira
    Arq. = arquiteto
    Arq.ª = arquiteta
    Exmo. = excelentíssimo
    Exma. = excelentíssima
    Exmos. = excelentíssimos
    S. Exa. = sua excelência
    V. Exa. = vossa excelência
    V. Ex.ª = vossa excelência
    Ilmo. = ilustríssimo
    p. ex. = por exemplo
    por ex. = por exemplo
    cf. = confronte
    e ss. = e seguintes
    n.º = número
    n.° = número
    nº = número
    n° = número
    S. A. = esse á
    vs. = versus
    vs = versus
    Trav. = travessa
    etc. = etcétera
    Av. = avenida
    Avda. = avenida
    Pç. = praça
    Lda. = limitada
    Ltda. = limitada
    Cia. = companhia
    tel. = telefone
    telem. = telemóvel
    aprox. = aproximadamente
    obs. = observação
    máx. = máximo
    mín. = mínimo
    págs. = páginas
    sécs. = séculos
    dto. = direito
    esq. = esquerdo
    apto. = apartamento
    depto. = departamento
    """
)
BEFORE_NUMBER = pairs(
    """
    núm. = número
    nr. = número
    pág. = página
    pp. = páginas
    p. = página
    art. = artigo
    arts. = artigos
    art.º = artigo
    cap. = capítulo
    caps. = capítulos
    vol. = volume
    fig. = figura
    km. = quilómetro
    km = quilómetro
    tab. = tabela
    ref. = referência
    proc. = processo
    § = parágrafo
    inc. = inciso
    bl. = bloco
    """
)
BEFORE_NAME = pairs(
    """
    Sto. = Santo
    Sta. = Santa
    Fr. = frei
    Gen. = general
    Cap. = capitão
    Cel. = coronel
    """
)
#: Those that a speech engine would read as words or not at all.
SPELLED = words(
    "IA AI UE UK FMI DNI HTML IP ID IT UI UX SQL IRS IRC ADN DNA ARN IBM URL SUV UGT BCE VIH "
    "GPU ONG OGM ATM IMC OAB ICMS TSE TVI API CEO HDMI XL XXL MC MD CM DC CV ML CL CI DVI CCC"
)

LETTERS = pairs(
    """
    A = á
    B = bê
    C = cê
    Ç = cê cedilhado
    D = dê
    E = é
    F = efe
    G = gê
    H = agá
    I = i
    J = jota
    K = capa
    L = éle
    M = éme
    N = éne
    O = ó
    P = pê
    Q = quê
    R = erre
    S = esse
    T = tê
    U = u
    V = vê
    W = dáblio
    X = xis
    Y = ípsilon
    Z = zê
    """
)
SIGN_NAMES = {
    ".": "ponto",
    ",": "vírgula",
    ":": "dois pontos",
    ";": "ponto e vírgula",
    "/": "barra",
    "\\": "barra invertida",
    "-": "hífen",
    "_": "sublinhado",
    "@": "arroba",
    "#": "cardinal",
    "?": "interrogação",
    "!": "exclamação",
    "=": "igual",
    "&": "e",
    "+": "mais",
    "*": "asterisco",
    "%": "por cento",
    "~": "til",
    "(": "abre parênteses",
    ")": "fecha parênteses",
    "€": "euro",
    "$": "dólar",
}
SIGNS = {
    "&": "e",
    "+": "mais",
    "=": "igual a",
    "±": "mais ou menos",
    "\u00d7": "vezes",
    "÷": "a dividir por",
    "~": "cerca de",
    "≈": "cerca de",
    "≠": "diferente de",
    "<": "menor que",
    ">": "maior que",
    "≤": "menor ou igual a",
    "≥": "maior ou igual a",
    "\u2212": "menos",
}
INCH = Noun(("polegada", "polegadas"), "f")

GENDERS = Genders(
    feminine_endings=(
        "a",
        "as",
        "ção",
        "ções",
        "são",
        "sões",
        "dade",
        "dades",
        "tude",
        "tudes",
        "agem",
        "agens",
        "triz",
    ),
    masculine_endings=("ema", "emas", "grama", "gramas", "ista", "istas", "oma", "omas"),
    feminine=words(
        "vez vezes mulher mulheres noite noites tarde tardes parte partes chave chaves frase "
        "frases classe classes base bases fase fases nave naves ordem ordens mão mãos mãe mães "
        "foto fotos moto motos flor flores luz luzes voz vozes cruz cruzes rede redes pele peles "
        "torre torres nuvem nuvens série séries espécie espécies superfície superfícies morte "
        "mortes fonte fontes gente carne lei leis razão razões opinião opiniões região regiões "
        "estação estações paixão crise crises tese teses parede paredes sede sedes semente "
        "sementes saudade tribo tribos folha linguagem língua árvore árvores ponte pontes greve "
        "greves origem origens margem personagem rã rãs irmã irmãs maçã maçãs manhã manhãs "
        "reunião reuniões união milha colher colheres"
    ),
    masculine=words(
        "dálmata dálmatas "
        "dia dias mapa mapas planeta planetas poeta poetas atleta atletas clima climas cometa "
        "cometas pijama pijamas colega colegas fantasma fantasmas drama dramas guarda guardas "
        "sofá sofás atlas gás lápis pires ônibus mês meses avião aviões camião camiões milhão "
        "milhões bilhão bilhões bilião biliões trilhão trilhões"
    ),
    not_nouns=words(
        "a ao aos à às até com como contra da das de do dos desde e é em era eram então entre "
        "está estão foi foram há mais mas menos na nas nem no nos não o os ou para pelo pela "
        "pelos pelas per por porque que quando quanto se sem ser será sobre são só tem têm também "
        "tinha um uma vai já eu ele ela eles elas mil cada onde meu minha seu sua isso isto este "
        "esta antes depois quase apenas abaixo acima tanto todo tudo ontem agora"
    ),
)

#: Rulers and popes, with their gender.
NAMES = {
    **dict.fromkeys(
        words(
            "João Pedro Manuel Afonso Sancho Dinis Fernando Duarte Sebastião Filipe José Miguel Luís "
            "Carlos Henrique Paulo Bento Pio Leão Gregório Inocêncio Clemente Urbano Alexandre "
            "Napoleão Jorge Guilherme Eduardo Ricardo Jaime Francisco Frederico Nicolau Leopoldo "
            "Alberto Constantino Teodósio Ramsés Dario Ptolomeu Júlio Sisto Bonifácio Calisto "
            "Celestino Honório Maximiliano Rodolfo Vítor Humberto Gustavo Felipe Juan"
        ),
        "m",
    ),
    **dict.fromkeys(
        words("Isabel Catarina Maria Joana Margarida Beatriz Inês Cristina Ana Leonor Vitória Cleópatra"), "f"
    ),
}
CENTURIES = words("século séculos")
NUMBERED = words(
    "inciso incisos alínea capítulo capítulos tomo volume parte ato acto cena artigo título livro tipo fase "
    "nível "
    "grau anexo secção seção tema canto fator factor classe categoria grupo etapa temporada "
    "episódio apêndice"
)
ARTICLES = words("o a os as do da dos das ao à no na nos nas um uma pelo pela seu sua")
SINGULAR_ARTICLES = words("o do ao no pelo um cada")
EVENTS = words(
    "centenário aniversário guerra guerras congresso cimeira república internacional jornadas "
    "jornada edição concílio milénio milênio"
)
SAINTS = words(
    "Paulo Pedro João José Bento Miguel Jorge Tomé Vicente Sebastião Francisco Bernardo Luís "
    "Luis Mateus Marcos Lucas Martinho Mamede Domingos Gonçalo Julião Lourenço Roque Salvador "
    "Brás Cristóvão Caetano Carlos Gabriel Rafael Tiago Nicolau Félix Romão Valentim Antão "
    "Cosme Damião Filipe Simão Leonardo Lázaro Bartolomeu Jerónimo Torcato Bernardino "
    "Clemente Gens Cipriano"
)
