r"""English. What is written, and the module that reads it, in the order in which the rules are tried:

    C:\Users, ::1, order #A-12                           computing (FIRST_RULES)
    URLs, e-mail, files, paths, @user, #hashtag          web
    Ctrl+C, Settings > Privacy, v2, x**2                 computing
    1:1, 120/80, K-12, 49ers, *67, 5! = 120              everyday
    ending in 4321, a 1099, 0800 hours                   digits (FIRST_RULES)
    w/o, and/or, 2/$5                                    abbreviations (FIRST_RULES)
    telephone and card numbers, 127.0.0.1, 401(k)        codes (FIRST_RULES)
    221B Baker, Ave NW, Hwy 101 N                        places
    on 3/15, FY2025, c. BC                               short_dates
    2024-01-05, Jan. 5, the 1990s                        dates
    12-3456-789: any other digits in groups              digits
    1. at the beginning, 1.234.567, 2.0.1                numbers (FIRST_RULES)
    5:30 p.m., 17:45, 9-5pm                              times
    $1.2B, USD 20, 10-20%                                money
    Louis XIV, Chapter IV                                roman
    5'10", 27" monitors, 1920x1080                       sizes
    5 km, 98.6 °F, 100 MB/s                              units
    Room 101, Flight 815, Section 230                    codes
    H₂O, 1e6, x²                                         math (FIRST_RULES)
    1/2, 21st, ½, 3-1, 10-20, 16:9, 20k, 5x faster       numbers
    2 + 2 = 4, ~5, π                                     math
    GPT-4o, A4, Austin, TX, N/A                          codes (LAST_RULES)
    in 1984                                              dates (YEAR_RULE)
    '69, and any number that is left                     numbers (LAST_RULES)
    Dr. Lee, Main St., No. 5, vs., requests/second       abbreviations
    FBI, R&D, C++                                        acronyms

`reader` has this order. What the rules share is in `words` (words for numbers and letters), `matches`
(what stands around a match) and `letters` (what is spelled and what is read, names of letters and digits).
"""
