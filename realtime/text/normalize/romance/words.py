"""Days, months and keys of Spanish, Italian and Portuguese, by their abbreviations without the full stop."""

from __future__ import annotations

from realtime.text.normalize.romance.shared import pairs

SPANISH_DAYS = pairs(
    """
    lun = lunes
    mar = martes
    mié = miércoles
    jue = jueves
    vie = viernes
    sáb = sábado
    dom = domingo
    """
)
SPANISH_MONTHS = pairs(
    """
    ene = enero
    feb = febrero
    mar = marzo
    abr = abril
    may = mayo
    jun = junio
    jul = julio
    ago = agosto
    sep = septiembre
    sept = septiembre
    oct = octubre
    nov = noviembre
    dic = diciembre
    """
)
SPANISH_KEYS = pairs(
    """
    Ctrl = control
    Alt = Alt
    AltGr = Alt Gr
    Mayús = mayúsculas
    Shift = Shift
    Cmd = comando
    Windows = Windows
    Win = Windows
    Fn = función
    """
)
ITALIAN_DAYS = pairs(
    """
    lun = lunedì
    mar = martedì
    mer = mercoledì
    gio = giovedì
    ven = venerdì
    sab = sabato
    dom = domenica
    """
)
ITALIAN_MONTHS = pairs(
    """
    gen = gennaio
    feb = febbraio
    mar = marzo
    apr = aprile
    mag = maggio
    giu = giugno
    lug = luglio
    ago = agosto
    set = settembre
    sett = settembre
    ott = ottobre
    nov = novembre
    dic = dicembre
    """
)
ITALIAN_KEYS = pairs(
    """
    Ctrl = control
    Alt = Alt
    AltGr = Alt Gr
    Maiusc = maiuscole
    Shift = Shift
    Cmd = comando
    Windows = Windows
    Win = Windows
    Fn = funzione
    """
)
PORTUGUESE_DAYS = pairs(
    """
    seg = segunda
    ter = terça
    qua = quarta
    qui = quinta
    sex = sexta
    sáb = sábado
    dom = domingo
    """
)
PORTUGUESE_MONTHS = pairs(
    """
    jan = janeiro
    fev = fevereiro
    mar = março
    abr = abril
    mai = maio
    jun = junho
    jul = julho
    ago = agosto
    set = setembro
    out = outubro
    nov = novembro
    dez = dezembro
    """
)
PORTUGUESE_KEYS = pairs(
    """
    Ctrl = Ctrl
    Alt = Alt
    AltGr = Alt Gr
    Shift = Shift
    Cmd = comando
    Windows = Windows
    Win = Windows
    Fn = função
    """
)
