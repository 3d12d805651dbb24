"""Letters in English: what is spelled and what is read, and how names are said that are made of both."""

from __future__ import annotations

import re

from realtime.text.normalize.english.words import digits, letters, pairs

#: How acronyms and names are read that engines would spell or misread.
READ: dict[str, str] = {
    "AAA": "triple A",
    "BERT": "Bert",
    "CDROM": "C.D. rom",
    "CMOS": "sea moss",
    "CUDA": "kooda",
    "DRAM": "D ram",
    "EBITDA": "ebitda",
    "EPROM": "E prom",
    "GNU": "gnu",
    "ICANN": "I can",
    "IMAX": "eye max",
    "K8s": "kubernetes",
    "IEEE": "I triple E",
    "IKEA": "Ikea",
    "IPv4": "I.P. V four",
    "IPv6": "I.P. V six",
    "IaaS": "eye as",
    "JSON": "jason",
    "LIGO": "Ligo",
    "LaTeX": "lah tech",
    "MySQL": "my sequel",
    "NAACP": "N double A.C.P.",
    "NoSQL": "no sequel",
    "OAuth": "oh auth",
    "PaaS": "pass",
    "PostgreSQL": "postgres Q.L.",
    "SCSI": "scuzzy",
    "SQLite": "sequel lite",
    "SRAM": "S ram",
    "SaaS": "sass",
    "TOML": "tommel",
    "VRAM": "V ram",
    "WLAN": "W lan",
    "WWI": "World War One",
    "WWII": "World War Two",
    "WYSIWYG": "wizzy wig",
    "YAML": "yammel",
}
#: Acronyms that are read as words, by any engine.
_AS_WORDS = frozenset(
    (
        "ACID AIDS ALGOL ASAP ASCII AWK AWOL BASH BASIC BIOS CAD CAM CAPTCHA COBOL COVID CRISPR CRON "
        "CRUD DARPA DOS FAANG FEMA FIDO FIFA FOMO FORTRAN FUD GIF GIMP GIT GREP GUI HIPAA IMAP INTERPOL "
        "JPEG KISS LAN LASER LASIK LEGO LIDAR LINUX LISP LOL LORA MENSA MERS MIDI NAFTA NAS NASA NASCAR "
        "NASDAQ NATO NICU NIMBY NORAD OGG OPEC OSHA PEP PERL PETA PIN PIP POTUS QWERTY RADAR RAG RAID "
        "RAM REST ROFL ROM SARS SAT SCOTUS SCUBA SED SIM SOAP SONAR SQL SUDO SWAT TASER TED TEFL TIFF "
        "TOEFL UEFA UNESCO UNICEF UNIVAC UNIX VIM WAN WASP WAV YOLO ZIP"
    ).split()
)
#: Spelled although they could be read.
_SPELLED = frozenset(
    (
        "AAPL AARP ABC ACA ACLU AD ADHD AI AKA AMA AMD AOC AOL APA API AR ASL ASPCA ASR ATM ATV AWS BA "
        "BBC BC BCE BMW BS BST BTW CBS CBT CDC CDT CE CEO CET CFO CIA CIO CLI CNN COO CPI CPU CSS CST "
        "CSV CTO DB DC DEI DIY DJ DNA DNS ECG EDM EDT EEG EKG EOD EOF EPA EQ ER ESPN EST ETA ETF EU EV "
        "FAQ FBI FDA FTP FYI GCP GDP GMO GMT GNP GPT GPU HBO HDD HIV HR HTML IBM ICU ID IDE IDF IEA IED "
        "IEP IIRC IKR IMF IMHO IMO IOS IOU IP IPA IPO IQ IRA IRS ISO IVF KPI LED LLC LLM LLP MA MBA MC "
        "MDT MIT ML MLB MRI MS MST MTV NBA NBC NCAA NFL NHL NIH NLP NPR NPU NSA NY NYC NYU OCD OCR OECD "
        "OEM OLED OMG OOP OS PBS PC PDF PDT PM PNG PR PSA PST PTSD QA RD RNA ROI RSVP RV SAG SDK SEO "
        "SSD SSH SSL STD STT SUV TBA TBD TCP TLDR TLS TPU TTS TV UAE UCLA UDP UEFI UFC UFO UI UK UN "
        "UNHCR UPS URI URL US USA USAF USB USC USDA USPS UTC UUID UX VAR VAT VIP VM VPN VR WTO XML "
        "APY EECS YYYY"
    ).split()
)
#: Words of two and three letters that stay words in capitals.
_SHORT_WORDS = frozenset(
    (
        "ACT ADD AGE AGO AIM AIR ALL AM AMY AN AND ANN ANY ARC ARE ARK ARM ART AS ASH ASK AT ATE AWE "
        "BAD BAG BAN BAR BAT BE BED BEE BEG BEN BET BIG BIN BIT BOB BOO BOW BOX BOY BRA BUD BUG BUM BUS "
        "BUT BUY BY BYE CAB CAN CAP CAR CAT COD COP COT COW CRY CUB CUP CUT DAD DAM DAN DAY DEN DEW DID "
        "DIE DIG DIM DO DOE DOG DOT DR DRY DUB DUE EAR EAT EBB EEL EGG EGO ELF ELK ELM END EON ERA EVA "
        "EVE EYE FAD FAN FAR FAT FAX FED FEE FEW FIG FIN FIT FIX FLU FLY FOE FOG FOR FOX FUN FUR GAP "
        "GAS GEL GEM GET GIG GIN GO GOD GOT GUM GUN GUT GUY HA HAD HAM HAS HAT HAY HE HEN HER HEY HI "
        "HIM HIP HIS HIT HO HOG HOP HOT HOW HUB HUG HUM HUT IAN ICE ICY IF ILL IN INK INN IS IT ITS IVY "
        "JAB JAM JAR JAW JET JIM JOB JOE JOG JOY JR JUG KEN KEY KID KIM KIT LA LAB LAG LAP LAW LAY LEE "
        "LEG LEO LET LID LIE LIP LIT LOG LOT LOW MAD MAN MAP MAT MAX MAY ME MEN MET MIA MIX MOB MOM MOP "
        "MR MRS MUD MUG MY NAG NAP NET NEW NIL NO NOD NOR NOT NOW NUN NUT OAK OAR OAT ODD OF OFF OH OIL "
        "OK OLD ON ONE OR ORE OUR OUT OVA OWE OWL OWN PAD PAN PAT PAW PAY PEA PEG PEN PER PET PEW PIE "
        "PIG PIT PLY POD POP POT PUB PUN PUP PUT RAN RAT RAW RAY RED RIB RID RIM RIP ROB ROD RON ROW "
        "RUB RUG RUN RYE SAD SAM SAP SAW SAY SEA SEE SET SHE SHY SIN SIR SIT SIX SKY SLY SO SOB SON SOW "
        "SPY SR ST SUB SUE SUM SUN TAG TAN TAP TAR TAX TEA TED TEE TEN THE TIE TIM TIN TIP TO TOE TOM "
        "TON TOO TOP TOY TRY TUB TUG TWO UH UM UP URN US USE VAN VET VIA VOW VS WAR WAS WAX WAY WE WEB "
        "WED WET WHO WHY WIG WIN WIT WON WOW YAK YAM YE YEN YES YET YO YOU ZOE ZOO"
    ).split()
)
#: Acronyms that are spelled in small letters too, as addresses and handles have them.
_LOWER_SPELLED = frozenset(
    "api apis utf cpu gpu url usb faq ios gpt llm sdk ide iot dna bbc ibm nba ceo cto usa aws".split()
)
_ONSETS = frozenset(
    "bl br ch cl cr dr dw fl fr gl gr gn kn kl kr ph pl pr ps rh sc sh sk sl sm sn sp sq st sw th tr tw wh "
    "wr".split()
)
_VOWELS = "aeiouy"
_CONSONANT_RUN = re.compile(r"[^aeiouy]{5}|[aeiou]{4}")
_ONE_SOUND = re.compile("th|ch|sh|ck|ng|gh|ph")
#: How an English word may end in two consonants, what is one sound counted as "t".
_ENDINGS = frozenset(
    "bs bt ct cs dd ds dt ff fs ft gg gn gs ks kt ld lf lk ll lm lp ls lt lv mb mp ms mt nd nk nn ns nt pt "
    "ps rb rc rd "
    "rf rg rk rl rm rn rp rr rs rt rv sk sm sp ss st ts tt wd wk wl wn ws wt xt zz hn tm".split()
)


_LAST_CONSONANTS = re.compile(r"^.*[aeiouy]([^aeiouy]*)$", re.DOTALL)


def pronounceable(word: str) -> bool:
    """Whether letters look like an English word: vowels, and a beginning that exists."""
    low = word.lower()
    if not any(letter in _VOWELS for letter in low) or _CONSONANT_RUN.search(_ONE_SOUND.sub("t", low)):
        return False
    if len(low) > 1 and low[0] not in _VOWELS and low[1] not in _VOWELS and low[:2] not in _ONSETS:
        return False
    ending = _ONE_SOUND.sub("t", _LAST_CONSONANTS.sub(r"\1", low))
    return all(ending[at : at + 2] in _ENDINGS for at in range(len(ending) - 1))


def is_word(token: str) -> bool:
    """Whether letters in capitals are a word that is shouted, as far as can be told."""
    if token in _SPELLED or token in READ:
        return False
    if token in _SHORT_WORDS:
        return True
    return len(token) > 3 and pronounceable(token)


def is_acronym(token: str) -> bool:
    """Whether capitals are known to be spelled, even among shouted words."""
    return token in _SPELLED


def is_spelled(token: str) -> bool:
    """Whether capitals are said letter by letter."""
    if token in _AS_WORDS or token in READ or len(token) > 6:
        return False
    return token in _SPELLED or (len(token) < 4 and token not in _SHORT_WORDS) or not pronounceable(token)


def say_letters(token: str) -> str:
    """A run of letters as a part of a name: read if it can be, else spelled."""
    if token in READ:
        return READ[token]
    if len(token) == 1:
        return letters(token) if token.isupper() else token
    if token.isupper():
        return letters(token) if is_spelled(token) else token
    if token.islower() and (
        token in _LOWER_SPELLED or (len(token) < 6 and not any(map(_VOWELS.__contains__, token)))
    ):
        return letters(token)
    return token


_NAME_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|[A-Z]|[^\W_]+")


def say_name(text: str) -> str:
    """A handle, label or identifier: its words, numbers and spelled letters with spaces between them."""
    return " ".join(
        code_number(part) if part.isdecimal() else say_letters(part) for part in _NAME_PARTS.findall(text)
    )


def code_number(text: str) -> str:
    """Digits in a name: "404" is "four oh four"; a leading zero and long ones digit by digit."""
    return digits(text) if len(text) > 4 or text[0] == "0" else pairs(text)


_SIGN_NAMES = {
    "-": "dash",
    "_": "underscore",
    ".": "dot",
    "/": "slash",
    "\\": "backslash",
    "@": "at",
    "#": "hash",
    "+": "plus",
    "&": "and",
    "*": "star",
    ":": "colon",
    ";": "semicolon",
    ",": "comma",
    "!": "exclamation mark",
    "?": "question mark",
    "%": "percent",
    "$": "dollar",
    "=": "equals",
    "~": "tilde",
    "^": "caret",
    "|": "bar",
    "(": "open paren",
    ")": "close paren",
    "'": "apostrophe",
    '"': "quote",
    "<": "less than",
    ">": "greater than",
}


def spell(text: str) -> str:
    """Every letter, digit and sign by its name."""
    said: list[str] = []
    for each in text:
        if each.isdecimal():
            said.append(digits(each))
        elif each in _SIGN_NAMES:
            said.append(_SIGN_NAMES[each])
        elif each.isalpha():
            said.append(each.upper() + "." if each.isascii() else each)
        elif not each.isspace():
            said.append(each)
    return " ".join(said)
