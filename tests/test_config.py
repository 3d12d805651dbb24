"""Every setting: its bounds are kept, and what is wrong is told in one line that says what is allowed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from realtime.config import Config, from_environment, table, without_effect
from realtime.errors import ConfigError

#: (name, least, most) of whole numbers.
WHOLE = [
    ("PORT", 0, 65_535),
    ("ENGINE_THREADS", 0, 64),
    ("ENCODER_THREADS", 0, 64),
    ("OPUS_BITRATE", 6_000, 256_000),
    ("BUFFER_MS", 100, 60_000),
    ("MAX_SESSIONS", 1, 100_000),
    ("MAX_UTTERANCES", 1, 100_000),
    ("MAX_CONTEXTS", 1, 1024),
    ("MAX_TEXT_PER_MESSAGE", 1, 1024 * 1024),
    ("TEXT_WAIT_MS", 0, 60_000),
    ("MAX_TEXT_PER_CONTEXT", 1, 16 * 1024 * 1024),
    ("KEY_CONCURRENCY", 0, 100_000),
    ("KEY_REQUESTS_PER_MINUTE", 0, 1_000_000),
    ("ADDRESS_CONCURRENCY", 0, 100_000),
    ("ADDRESS_REQUESTS_PER_MINUTE", 0, 1_000_000),
    ("AUDIO_CACHE_MB", 0, 1_000_000),
    ("AUDIO_CACHE_MAX", 0, 10_000_000),
    ("MAX_VOICES", 0, 1_000_000),
    ("VOICE_CACHE_MAX", 0, 100_000),
    ("MAX_QUEUE_DEPTH", 1, 100_000),
    ("MAX_LEAD_MS", 0, 3_600_000),
    ("MAX_MESSAGES_PER_S", 0, 1_000_000),
    ("MAX_WAIT_MS", 0, 600_000),
    ("MAX_BATCH_SIZE", 1, 256),
    ("MAX_NEW_TOKENS", 0, 32_768),
]
#: (name, least, most) of seconds.
SECONDS = [
    ("DRAIN_S", 0, 3600),
    ("ENGINE_TIMEOUT_S", 0.1, 3600),
    ("HEARTBEAT_S", 0, 3600),
    ("IDLE_TIMEOUT", 0, 86_400),
    ("IDLE_TIMEOUT_S", 1, 86_400),
    ("REQUEST_TIMEOUT_S", 0.1, 3600),
    ("RESUME_WINDOW_S", 0, 3600),
    ("RTC_CONNECT_S", 0.1, 300),
    ("RTC_LOST_S", 1, 300),
]
CHOICES = [
    ("CODE_BLOCKS", ["skip", "say", "announce"]),
    ("TABLES", ["skip", "say", "announce"]),
    ("ENGINE", ["embedded", "qwen3", "tone"]),
    ("MODEL_DTYPE", ["auto", "float32", "bfloat16", "float16"]),
    ("ATTENTION", ["auto", "sdpa", "triton", "flash"]),
    ("ENGINE_RUNNER", ["process", "thread"]),
    ("ALLOCATOR", ["system", "jemalloc"]),
    ("LOG_LEVEL", ["debug", "info", "warning", "error"]),
    ("LOG_FORMAT", ["console", "json"]),
    ("METRICS", ["open", "key", "off"]),
    ("SPEED_QUALITY", ["fast", "high"]),
]
TEXTS = [
    "HOST",
    "LEXICON",
    "UDS",
    "API_KEYS_FILE",
    "ALLOWED_ORIGINS",
    "DATA_FOLDER",
    "TRUSTED_PROXIES",
    "MODEL_ID",
    "TURN_USERNAME",
]
#: Their values are not repeated in an error.
SECRETS = ["API_KEYS", "REDIS_URL", "TURN_PASSWORD", "TURN_SECRET"]
SWITCHES = ["LOG_TEXT", "LOG_ACCESS", "TORCH_COMPILE", "PRELOAD_MODEL", "RTC"]
#: Tested one by one.
OTHERS = [
    "CPU_AFFINITY",
    "ENGINE_CPU_AFFINITY",
    "UDS_MODE",
    "SILENCE_THRESHOLD_DB",
    "LOUDNESS_LUFS",
    "MODEL_DEVICE",
    "RTC_ADDRESSES",
    "RTC_PUBLIC_ADDRESS",
    "RTC_PORTS",
    "STUN_URLS",
    "TURN_URLS",
]


def refused(name: str, value: str) -> str:
    """What is said about a value; it must be one line that names the variable and the value."""
    with pytest.raises(ConfigError) as caught:
        from_environment({name: value})
    message = caught.value.message
    assert message.startswith(f"{name} must be ")
    assert message.endswith(f", not {value!r}")
    assert len(message.splitlines()) == 1
    return message


def value_of(name: str, value: str) -> Any:
    config = from_environment({name: value})
    others = [setting.name for setting in fields(Config) if setting.name != name.lower()]
    assert all(getattr(config, other) == getattr(Config(), other) for other in others)
    return getattr(config, name.lower())


def test_every_setting_is_tested_here() -> None:
    tested = {name for name, *_ in [*WHOLE, *SECONDS, *CHOICES]} | {*TEXTS, *SECRETS, *SWITCHES, *OTHERS}
    assert tested == {setting.name.upper() for setting in fields(Config)}


def test_nothing_set_gives_the_defaults() -> None:
    assert from_environment({}) == Config()
    assert from_environment({"PATH": "/bin", "port": "1", "Port": "2", "REALTIME_PORT": "3"}) == Config()


@pytest.mark.parametrize("setting", [setting.name for setting in fields(Config)])
def test_every_default_is_allowed(setting: str) -> None:
    default = getattr(Config(), setting)
    assert value_of(setting.upper(), str(default)) == default


@pytest.mark.parametrize(("name", "least", "most"), WHOLE)
def test_whole_numbers(name: str, least: int, most: int) -> None:
    for allowed in (least, most, (least + most) // 2):
        assert value_of(name, str(allowed)) == allowed
        assert value_of(name, f" {allowed} ") == allowed
    for wrong in (least - 1, most + 1, -most, 10**30):
        assert f"a whole number from {least} to {most}" in refused(name, str(wrong))


@pytest.mark.parametrize(("name", "least", "most"), WHOLE)
@pytest.mark.parametrize(
    "wrong", ["", " ", "many", "8.0", "1e3", "0x10", "8k", "1 2", "None", "9" * 5000, "1\n2"]
)
def test_what_is_no_whole_number(name: str, least: int, most: int, wrong: str) -> None:
    assert f"a whole number from {least} to {most}" in refused(name, wrong)


@pytest.mark.parametrize(("name", "least", "most"), SECONDS)
def test_seconds(name: str, least: float, most: float) -> None:
    for allowed in (least, most, 12.5):
        assert value_of(name, str(allowed)) == allowed
    for wrong in (least - 0.01, most + 0.01, -1, 1e300):
        assert f"seconds from {least:g} to {most:g}" in refused(name, str(wrong))


@pytest.mark.parametrize(("name", "least", "most"), SECONDS)
@pytest.mark.parametrize("wrong", ["", "soon", "nan", "inf", "-inf", "infinity", "10s", "1,5", "1e999"])
def test_what_is_no_number_of_seconds(name: str, least: float, most: float, wrong: str) -> None:
    assert f"seconds from {least:g} to {most:g}" in refused(name, wrong)


@pytest.mark.parametrize(("name", "choices"), CHOICES)
def test_choices(name: str, choices: list[str]) -> None:
    for choice in choices:
        assert value_of(name, choice) == choice
        assert value_of(name, choice.upper()) == choice
    for wrong in ("", "something", choices[0] + "x", ",".join(choices)):
        assert f"one of {', '.join(choices)}," in refused(name, wrong)


@pytest.mark.parametrize("name", SWITCHES)
def test_switches(name: str) -> None:
    for on in ("1", "true", "True", "yes", "ON"):
        assert value_of(name, on) is True
    for off in ("0", "false", "FALSE", "no", "Off"):
        assert value_of(name, off) is False
    for wrong in ("", "2", "-1", "maybe", "truee"):
        assert "1 or 0" in refused(name, wrong)


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    assert value_of(name, "::1") == "::1"
    assert value_of(name, " 0.0.0.0\n") == "0.0.0.0"
    for wrong in ("", " ", "\t\n"):
        refused(name, wrong)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_not_repeated(name: str) -> None:
    assert value_of(name, " redis://:password@host ") == "redis://:password@host"
    assert "password" not in repr(from_environment({name: "redis://:password@host"}))
    with pytest.raises(ConfigError) as caught:
        from_environment({name: " "})
    assert caught.value.message == f"{name} must be something"


def test_mode_bits() -> None:
    for mode in ("000", "660", "777", "0600"):
        assert value_of("UDS_MODE", mode) == mode
    for wrong in ("", "66", "800", "1777", "-660", "rw", "0o660", "6 0"):
        assert "mode bits" in refused("UDS_MODE", wrong)


@pytest.mark.parametrize("name", ["CPU_AFFINITY", "ENGINE_CPU_AFFINITY"])
def test_cores(name: str) -> None:
    assert value_of(name, "0-3, 6") == {0, 1, 2, 3, 6}
    assert value_of(name, " 7 ") == value_of(name, "7-7") == {7}
    assert value_of(name, "None") is None
    for wrong in ("", "0,", "a", "-1", "3-1", "1-2-3", "0x1", "0 1", "99999", "all"):
        assert "numbers of cores such as 0-3,6, or `none`" in refused(name, wrong)


def test_decibels() -> None:
    assert value_of("SILENCE_THRESHOLD_DB", "-60.5") == -60.5
    for wrong in ("", "-81", "-19", "nan", "inf", "quiet"):
        assert "decibels from -80 to -20" in refused("SILENCE_THRESHOLD_DB", wrong)


def test_loudness() -> None:
    assert value_of("LOUDNESS_LUFS", "-16") == -16 and value_of("LOUDNESS_LUFS", "None") is None
    for wrong in ("", "-41", "-9", "nan", "loud"):
        assert "loudness in LUFS from -40 to -10, or `none`" in refused("LOUDNESS_LUFS", wrong)


def test_addresses() -> None:
    assert value_of("RTC_ADDRESSES", " 10.0.0.1, ::1 ") == "10.0.0.1,::1"
    assert value_of("RTC_ADDRESSES", "AUTO") == "auto"
    assert value_of("RTC_PUBLIC_ADDRESS", "203.0.113.9") == "203.0.113.9"
    for wrong in ("", "localhost", "10.0.0.1,", "10.0.0.256", "10.0.0.0/8"):
        assert "IP addresses separated by commas, or `auto`" in refused("RTC_ADDRESSES", wrong)
        assert "an IP address, or `none`" in refused("RTC_PUBLIC_ADDRESS", wrong)


def test_port_ranges() -> None:
    for ports in ("any", "50000-50999", "1024-65535", "2000-2000"):
        assert value_of("RTC_PORTS", ports) == ports
    for wrong in ("", "50000", "50999-50000", "80-90", "50000-70000", "a-b", "1-2-3"):
        assert "50000-50999" in refused("RTC_PORTS", wrong)


def test_urls_of_ice() -> None:
    for url in ("none", "stun:stun.example", "stun:10.0.0.1:3478", "stun:[::1]:3478,stun:b"):
        assert value_of("STUN_URLS", url) == url
    for url in ("turn:a", "turns:a:443?transport=tcp", "turn:a:3478?transport=udp, turn:b"):
        assert value_of("TURN_URLS", url) == url
    for wrong in ("", "stun.example", "turn:a", "stun:a?transport=udp", "http://a", "stun:a:b", "stun:a,"):
        assert "stun:host[:port]" in refused("STUN_URLS", wrong)
    for wrong in ("", "stun:a", "turn:", "turn:a?transport=sctp", "turn:a b"):
        assert "turn:host[:port][?transport=udp|tcp]" in refused("TURN_URLS", wrong)


def test_what_has_no_effect_is_told() -> None:
    assert without_effect(Config()) == []
    alone = {
        "REDIS_URL": Config(redis_url="redis://here", audio_cache_mb=0),
        "KEY_CONCURRENCY": Config(key_concurrency=1),
        "KEY_REQUESTS_PER_MINUTE": Config(key_requests_per_minute=1),
        "TRUSTED_PROXIES": Config(trusted_proxies="10.0.0.1", log_access=False),
        "METRICS": Config(metrics="key"),
        "ENGINE_CPU_AFFINITY": Config(engine_runner="thread", engine_cpu_affinity=frozenset({0})),
        "UDS_MODE": Config(uds_mode="600"),
        "TURN_USERNAME": Config(turn_username="name"),
        "TURN_SECRET": Config(turn_secret="secret"),
        "RTC_PORTS": Config(rtc=False, rtc_ports="50000-50999"),
        "STUN_URLS": Config(rtc=False, stun_urls="stun:a"),
    }
    for name, config in alone.items():
        (told,) = without_effect(config)
        assert told.startswith(f"{name}: ") and "redis://" not in told
    for config in (
        Config(redis_url="redis://here"),
        Config(key_concurrency=1, api_keys_file="keys"),
        Config(key_requests_per_minute=1, api_keys="k" * 16),
        Config(trusted_proxies="10.0.0.1"),
        Config(trusted_proxies="10.0.0.1", log_access=False, address_concurrency=1),
        Config(metrics="key", api_keys="k" * 16),
        Config(trusted_proxies="10.0.0.1", address_requests_per_minute=1),
        Config(engine_cpu_affinity=frozenset({0})),
        Config(engine="qwen3", engine_runner="thread", engine_cpu_affinity=frozenset({0})),
        Config(uds_mode="600", uds="here"),
        Config(turn_username="name", turn_password="password", turn_urls="turn:a"),
        Config(rtc_ports="50000-50999", stun_urls="stun:a"),
    ):
        assert without_effect(config) == []


def test_settings_of_a_model_where_there_is_none() -> None:
    """The engine for tests has no model either; but when it is loaded may be chosen."""
    changes: dict[str, Any] = {
        "model_id": "a/b",
        "model_device": "cpu",
        "model_dtype": "float32",
        "attention": "sdpa",
        "torch_compile": True,
        "max_batch_size": 1,
        "max_new_tokens": 1,
    }
    of_life: dict[str, Any] = {"preload_model": False, "idle_timeout": 1.0}
    for name, value in (changes | of_life).items():
        told = f"{name.upper()}: ENGINE is not `qwen3`"
        assert without_effect(Config(**{name: value})) == [told]
        assert without_effect(Config(engine="tone", **{name: value})) == ([told] if name in changes else [])
        assert without_effect(Config(engine="qwen3", **{name: value})) == []


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "CUDA:0", " cuda:15 "])
def test_devices(device: str) -> None:
    assert value_of("MODEL_DEVICE", device) == device.strip().lower()


@pytest.mark.parametrize("wrong", ["", "gpu", "cuda:", "cuda:-1", "cuda:1234", "cuda:0,1", "cpu:0", "mps"])
def test_what_is_no_device(wrong: str) -> None:
    assert "auto, cpu, cuda or the number of a card such as cuda:1" in refused("MODEL_DEVICE", wrong)


def test_several_settings_at_once() -> None:
    config = from_environment({"PORT": "0", "ENGINE": "tone", "LOG_TEXT": "yes", "MAX_CONTEXTS": "3"})
    assert config == Config(port=0, engine="tone", log_text=True, max_contexts=3)


def test_one_wrong_setting_among_right_ones_is_the_one_that_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^BUFFER_MS must be .*, not '99'$"):
        from_environment({"PORT": "1", "BUFFER_MS": "99", "ENGINE": "tone"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().port = 1  # type: ignore[misc]


def test_the_limits_are_those_of_the_protocol_by_default() -> None:
    config = Config()
    assert (config.max_text_per_message, config.max_text_per_context) == (16 * 1024, 64 * 1024)
    assert (config.max_contexts, config.idle_timeout_s) == (16, 300)


def test_the_table_tells_every_setting_and_a_default_that_may_be_copied() -> None:
    rows = table()
    assert [name for name, _, _ in rows] == [setting.name.upper() for setting in fields(Config)]
    for name, default, meaning in rows:
        assert value_of(name, default) == getattr(Config(), name.lower())
        assert meaning.strip()
        assert "\n" not in meaning
        assert "|" not in meaning
