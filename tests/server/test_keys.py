"""Keys: what is one, where they come from, and that none is ever shown."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
import structlog
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from realtime.errors import ConfigError
from realtime.server import keys
from realtime.server.keys import KeyLimits, all_subprotocols, load_keys, offered_keys

ONE = "sk-one-0123456789"
TWO = "sk-two-0123456789"
NONE = KeyLimits()


def write(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "keys"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class TestList:
    def test_keys_are_found_and_others_are_not(self) -> None:
        ring = load_keys(f"{ONE}, {TWO}", None, NONE)
        one, two = ring.find([ONE]), ring.find([TWO])
        assert one is not None and two is not None and one is not two
        assert ONE not in repr(one) and repr(one.digest) not in repr(one)
        assert one.name == hashlib.sha256(ONE.encode()).hexdigest()[:8]
        assert ring.find(["wrong", TWO]) is two
        for wrong in ("", ONE[:-1], ONE + "x", ONE.upper(), f"{ONE},{TWO}", "\udcff", "é" * 20):
            assert ring.find([wrong]) is None

    def test_limits_are_those_given_for_all(self) -> None:
        (key,) = load_keys(ONE, None, KeyLimits(3, 60)).keys
        assert key.limits == KeyLimits(3, 60)

    def test_without_any_there_is_none(self) -> None:
        assert load_keys(None, None, NONE).keys == ()

    @pytest.mark.parametrize(
        ("listed", "where"),
        [
            ("short", "key 1 of API_KEYS"),
            (f"{ONE},{TWO},", "key 3 of API_KEYS"),
            (f"{ONE},two words 0123456789", "key 2 of API_KEYS"),
            (f"{ONE},ключ-ключ-ключ-ключ", "key 2 of API_KEYS"),
            ("x" * 257, "key 1 of API_KEYS"),
            (f"{ONE},{TWO},{ONE}", "key 3 of API_KEYS is the same as key 1 of API_KEYS"),
        ],
    )
    def test_what_is_no_key_stops_the_start_and_is_not_shown(self, listed: str, where: str) -> None:
        with pytest.raises(ConfigError) as refused:
            load_keys(listed, None, NONE)
        assert where in refused.value.message
        assert not any(
            secret.strip() and secret.strip() in str(refused.value) for secret in listed.split(",")
        )

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=16))
    def test_every_visible_character_may_be_in_one(self, secret: str) -> None:
        secret = secret[:256]
        assert load_keys(secret, None, NONE).find([secret]) is not None


class TestFile:
    def test_comments_names_and_limits(self, tmp_path: Path) -> None:
        path = write(
            tmp_path,
            f"\ufeff# keys of the house\n\n  {ONE}\n"
            f"{TWO} name=phone requests_per_minute=30 concurrency=0 # the phone\r\n#{ONE}x\n",
        )
        ring = load_keys(None, path, KeyLimits(5, 7))
        one, two = ring.find([ONE]), ring.find([TWO])
        assert one is not None and two is not None and len(ring.keys) == 2
        assert one.limits == KeyLimits(5, 7)
        assert (two.name, two.limits) == ("phone", KeyLimits(0, 30))

    def test_list_and_file_add_up(self, tmp_path: Path) -> None:
        ring = load_keys(ONE, write(tmp_path, TWO), NONE)
        assert ring.find([ONE]) is not None and ring.find([TWO]) is not None

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (f"{ONE}\nshort\n", "line 2 of API_KEYS_FILE"),
            (f"{ONE} color=red", "line 1 of API_KEYS_FILE"),
            (f"{ONE} name", "line 1 of API_KEYS_FILE"),
            (f"{ONE} name=a name=b", "each once"),
            (f"{ONE} name=", "a name is"),
            (f"{ONE} name={ONE}", "a name is"),
            (f"{ONE} concurrency=-1", "concurrency must be"),
            (f"{ONE} concurrency=1.5", "concurrency must be"),
            (f"{ONE} requests_per_minute=1000001", "requests_per_minute must be"),
            (f"{ONE} requests_per_minute=²", "requests_per_minute must be"),
            (f"{ONE}\n\n{ONE} name=again", "line 3 of API_KEYS_FILE is the same as line 1 of API_KEYS_FILE"),
            (f"{ONE},{TWO}", "line 1 of API_KEYS_FILE"),
            ("# nothing\n", "holds no key"),
            ("", "holds no key"),
        ],
    )
    def test_what_it_may_not_hold(self, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(ConfigError) as refused:
            load_keys(None, write(tmp_path, text), NONE)
        assert told in refused.value.message and ONE not in str(refused.value)

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="No such file"):
            load_keys(None, str(tmp_path / "none"), NONE)
        with pytest.raises(ConfigError, match="directory"):
            load_keys(None, str(tmp_path), NONE)
        (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match="UTF-8"):
            load_keys(None, str(tmp_path / "bytes"), NONE)
        large = write(tmp_path, "#" * (keys.MAX_FILE_BYTES + 1))
        with pytest.raises(ConfigError, match="larger"):
            load_keys(None, large, NONE)

    @pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
    def test_a_file_that_others_may_read_is_warned_of(self, tmp_path: Path, mode: int, warned: bool) -> None:
        path = write(tmp_path, ONE, mode)
        with structlog.testing.capture_logs() as logged:
            load_keys(None, path, NONE)
        assert [entry["event"] for entry in logged] == ["keys_file_readable_by_others"] * warned
        assert ONE not in repr(logged)


class TestOffers:
    @pytest.mark.parametrize(
        ("headers", "offered"),
        [
            ([], []),
            ([("Authorization", f"Bearer {ONE}")], [ONE]),
            ([("Authorization", f"bearer   {ONE} ")], [ONE]),
            ([("Authorization", "Basic dXNlcjpwYXNz")], []),
            ([("Authorization", ONE)], []),
            ([("Sec-WebSocket-Protocol", f"api-key.{ONE}")], []),
            ([("Upgrade", "WebSocket"), ("Sec-WebSocket-Protocol", f"realtime.v1, api-key.{ONE}")], [ONE]),
            (
                [
                    ("Authorization", "Basic dXNlcjpwYXNz"),
                    ("Upgrade", "websocket"),
                    ("Sec-WebSocket-Protocol", "realtime.v1"),
                    ("Sec-WebSocket-Protocol", f"api-key.{TWO},"),
                ],
                [TWO],
            ),
        ],
    )
    def test_where_a_request_bears_them(self, headers: list[tuple[str, str]], offered: list[str]) -> None:
        request = make_mocked_request("GET", f"/v1/x?key={TWO}", CIMultiDict(headers))
        assert offered_keys(request) == offered

    def test_of_too_many_subprotocols_the_rest_is_not_looked_at(self) -> None:
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Protocol", f"api-key.{ONE}")]
        headers += [("Sec-WebSocket-Protocol", "a," * 4000)] * 100
        headers += [("Sec-WebSocket-Protocol", f"api-key.{TWO}")]
        request = make_mocked_request("GET", "/v1/x", CIMultiDict(headers))
        assert offered_keys(request) == [ONE]
        assert len(all_subprotocols(request)) < 5000


class TestCompare:
    def test_what_cannot_be_a_key_costs_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ring = load_keys(f"{ONE},{TWO}", None, NONE)
        assert ring.find(["wrong", "x" * 256, "", TWO]) is not None
        monkeypatch.setattr(hashlib, "sha256", lambda data: pytest.fail("worked out"))
        assert ring.find(["wrong", "wrong", "wrong", "wrong", TWO]) is None
        assert ring.find(["x" * 257, "x" * 1_000_000]) is None

    def test_each_key_is_compared_whichever_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Digests of one length, all of them, by the comparison that takes the same time for all."""
        compared: list[bytes] = []
        real = hmac.compare_digest

        def spy(left: bytes, right: bytes) -> bool:
            compared.append(left)
            assert right == digest(TWO)
            return real(left, right)

        ring = load_keys(f"{ONE},{TWO},{ONE}3", None, NONE)
        monkeypatch.setattr(hmac, "compare_digest", spy)
        assert ring.find([TWO]) is not None
        assert compared == [digest(ONE), digest(TWO), digest(ONE + "3")]
