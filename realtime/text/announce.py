"""What is said for a block that is not read aloud, in ten languages."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

#: (code, table) by language, ISO 639-1.
_PHRASES: Final = MappingProxyType(
    {
        "de": ("Codeblock.", "Tabelle."),
        "en": ("Code block.", "Table."),
        "es": ("Bloque de código.", "Tabla."),
        "fr": ("Bloc de code.", "Tableau."),
        "it": ("Blocco di codice.", "Tabella."),
        "ja": ("コードブロック。", "テーブル。"),
        "ko": ("코드 블록.", "표."),
        "pt": ("Bloco de código.", "Tabela."),
        "ru": ("Блок кода.", "Таблица."),
        "zh": ("代码块。", "表格。"),
    }
)


def announcement(kind: Literal["code", "table"], language: str) -> str:
    """A sentence that says what stands there; English where the language is not known."""
    code, table = _PHRASES.get(language, _PHRASES["en"])
    return code if kind == "code" else table
