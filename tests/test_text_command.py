"""`python -m realtime text`: a look inside, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.__main__ import main


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["text", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_shows_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "It costs **$3.50**, Dr. Smith."]) == 0
    assert capsys.readouterr().out == (
        "  0  en  text   [0, 30)  after 30 characters\n"
        "     cleaned  It costs $3.50, Dr. Smith.\n"
        "     spoken   It costs three dollars and fifty cents, Doctor Smith.\n"
        "     [9, 18)      '**$3.50**' -> 'three dollars and fifty cents'\n"
        "     [20, 23)     'Dr.' -> 'Doctor'\n"
    )


def test_json_has_all_spans(capsys: pytest.CaptureFixture[str]) -> None:
    text = "It costs $3.50 today."
    (row,) = rows(capsys, text)
    assert row["spoken"] == "It costs three dollars and fifty cents today." and row["language"] == "en"
    spans = row["spans"]
    assert isinstance(spans, list)
    assert [span["source_text"] for span in spans] == ["It", "costs", "$3.50", "today."]
    for span in spans:
        assert text[slice(*span["source"])] == span["source_text"]
        assert str(row["spoken"])[slice(*span["spoken"])] == span["spoken_text"]


def test_a_stream_gives_the_same_segments_earlier(capsys: pytest.CaptureFixture[str]) -> None:
    text = "This is the first sentence. Here is another one. And this is the last one of them."
    whole = rows(capsys, text)
    streamed = rows(capsys, "--stream", text)
    assert [row | {"decided_after": 0} for row in streamed] == [row | {"decided_after": 0} for row in whole]
    assert [row["decided_after"] for row in whole] == [len(text)] * 3
    after = [row["decided_after"] for row in streamed]
    assert after == sorted(after, key=lambda at: int(str(at))) and int(str(after[0])) < 45


def test_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert rows(capsys, "--no-normalize", "It is 5%.")[0]["spoken"] == "It is 5%."
    assert rows(capsys, "--language", "de", "22,1")[0]["spoken"] == "zweiundzwanzig Komma eins"
    german = rows(capsys, "Das kostet heute 3 Euro und das ist nicht sehr viel Geld.")
    assert german[0]["language"] == "de"
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("SQL = sequel\n")
    assert rows(capsys, "--lexicon", str(lexicon), "Use SQL.")[0]["spoken"] == "Use sequel."
    marked = rows(capsys, "--markup", "One. <break time='1s'/> Two.")
    assert [row["pause_before_ms"] for row in marked] == [None, 1000]
    code = tmp_path / "code.md"
    code.write_text("```\nx\n```\n")
    assert rows(capsys, "--code", "announce", "--file", str(code))[0]["spoken"] == "Code block."
    table = "| a | b |\n|---|---|\n| c | d |\n"
    assert rows(capsys, "--tables", "announce", table)[0]["spoken"] == "Table."
    assert rows(capsys, "--tables", "skip", table) == []


def test_buffering(capsys: pytest.CaptureFixture[str]) -> None:
    """In `auto` the first sound comes early, from a clause; with `sentence` from a whole sentence."""
    text = "When I think about it for a moment, the whole thing is really quite simple, you see."
    clauses = [row["spoken"] for row in rows(capsys, text)]
    assert len(clauses) > 1 and " ".join(map(str, clauses)) == text
    assert [row["spoken"] for row in rows(capsys, "--buffer", "sentence", text)] == [text]


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Es ist 5.")))
    assert rows(capsys, "-", "--language", "de")[0]["spoken"] == "Es ist fünf."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either a text"),
        (["a", "--file", "b"], "give either a text"),
        (["--file", "no-such-file"], "no-such-file cannot be read: No such file"),
        (["--lexicon", "no-such-file", "a"], "no-such-file"),
        (["\udcff"], "must be UTF-8"),
    ],
)
def test_bad_input_is_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text", *arguments]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


def test_bad_bytes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    assert main(["text", "--file", str(tmp_path / "text")]) == 1
    assert "must be UTF-8" in capsys.readouterr().err
