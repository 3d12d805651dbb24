"""Settings: names, defaults, bounds. A value that is unknown or out of range stops the start."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any

from realtime.errors import ConfigError


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"a whole number from {low} to {high}")
        return number

    return parse


def _number(low: float, high: float, unit: str, *, or_none: bool = False) -> Callable[[str], float | None]:
    """`unit` says what the number is; `or_none`: it may be left out by the word `none`."""

    def parse(value: str) -> float | None:
        if or_none and value.strip().lower() == "none":
            return None
        try:
            number = float(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"{unit} from {low:g} to {high:g}{', or `none`' if or_none else ''}")
        return number

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ConfigError(f"one of {', '.join(allowed)}")
        return value.lower()

    return parse


_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def _device(value: str) -> str:
    device = value.strip().lower()
    if not _DEVICE.fullmatch(device):
        raise ConfigError("auto, cpu, cuda or the number of a card such as cuda:1")
    return device


def _mode(value: str) -> str:
    digits = value.strip()
    if not (3 <= len(digits) <= 4 and set(digits) <= set("01234567") and int(digits, 8) <= 0o777):
        raise ConfigError("mode bits as three digits from 0 to 7, such as 660")
    return digits


def _address_or_none(value: str) -> str:
    if value.strip().lower() == "none":
        return "none"
    try:
        return str(ip_address(value.strip()))
    except ValueError:
        raise ConfigError("an IP address, or `none`") from None


def _addresses(value: str) -> str:
    addresses = value.strip()
    if addresses.lower() == "auto":
        return "auto"
    try:
        return ",".join(str(ip_address(each.strip())) for each in addresses.split(","))
    except ValueError:
        raise ConfigError("IP addresses separated by commas, or `auto`") from None


_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


def _port_range(value: str) -> str:
    ports = value.strip().lower()
    match = _PORTS.fullmatch(ports)
    if ports != "any" and not (match and 1024 <= int(match[1]) <= int(match[2]) <= 65535):
        raise ConfigError("a range such as 50000-50999 within 1024-65535, or `any`")
    return ports


_ICE_URL = re.compile(r"(stun|turn|turns):(\[[0-9a-fA-F:.]+\]|[^:?,\s]+)(:\d{1,5})?(\?transport=(udp|tcp))?")


def _ice_urls(kind: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        urls = value.strip()
        if urls.lower() == "none":
            return "none"
        for url in urls.split(","):
            match = _ICE_URL.fullmatch(url.strip())
            if match is None or not match[1].startswith(kind) or (kind == "stun" and match[4]):
                transport = "" if kind == "stun" else "[?transport=udp|tcp]"
                raise ConfigError(f"{kind}:host[:port]{transport}, several separated by commas, or `none`")
        return urls

    return parse


def _switch(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError("1 or 0")


def _text(value: str) -> str:
    if not value.strip():
        raise ConfigError("something")
    return value.strip()


def _setting(default: Any, parse: Callable[[str], Any], help_text: str, *, secret: bool = False) -> Any:
    metadata = {"parse": parse, "help": help_text, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force. The environment variable of a field is its name in capitals."""

    host: str = _setting("127.0.0.1", _text, "address to listen on; `none`: on the socket file `UDS` alone")
    port: int = _setting(8000, _whole(0, 65535), "port to listen on; 0 takes a free one")
    uds: str = _setting("none", _text, "path of a Unix domain socket to listen on as well")
    uds_mode: str = _setting("660", _mode, "mode bits of that socket file, in octal")
    api_keys: str = _setting(
        "none", _text, "keys of clients, separated by commas; `none`: everybody may speak", secret=True
    )
    api_keys_file: str = _setting(
        "none", _text, "file with one key in a line, with a name and limits of its own"
    )
    key_concurrency: int = _setting(
        0, _whole(0, 100_000), "sessions and requests at the same time, per key; 0: no limit"
    )
    key_requests_per_minute: int = _setting(
        0, _whole(0, 1_000_000), "sessions and requests begun in a minute, per key; 0: no limit"
    )
    address_concurrency: int = _setting(
        0, _whole(0, 100_000), "sessions and requests at the same time, per address of clients; 0: no limit"
    )
    address_requests_per_minute: int = _setting(
        0, _whole(0, 1_000_000), "sessions and requests begun in a minute, per address; 0: no limit"
    )
    trusted_proxies: str = _setting(
        "none",
        _text,
        "addresses and networks of proxies, whose `X-Forwarded-For` tells the address of a client; `unix`:"
        " what comes over `UDS`",
    )
    allowed_origins: str = _setting(
        "none",
        _text,
        "origins of web pages that may use the server, separated by commas, or `*`; `none`: its own alone",
    )
    engine: str = _setting(
        "embedded",
        _one_of("embedded", "qwen3", "tone"),
        "what speaks; `qwen3` needs the extra of that name, `tone` is for tests",
    )
    engine_runner: str = _setting(
        "process",
        _one_of("process", "thread"),
        "where the engine runs: `process` or `thread`",
    )
    engine_threads: int = _setting(
        0,
        _whole(0, 64),
        "segments synthesized at the same time; 0: one less than there are cores, two of two, at most 4",
    )
    engine_timeout_s: float = _setting(
        30.0,
        _number(0.1, 3600, "seconds"),
        "an engine process that makes no progress for so long is replaced",
    )
    model_id: str = _setting(
        "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
        _text,
        "the model of `qwen3`: its name on Hugging Face, or a folder",
    )
    model_device: str = _setting(
        "auto", _device, "where it runs: `auto`, `cpu`, `cuda` or one card, `cuda:1`"
    )
    model_dtype: str = _setting(
        "auto",
        _one_of("auto", "float32", "bfloat16", "float16"),
        "numbers that it computes with: `auto`, `float32`, `bfloat16` or `float16`",
    )
    attention: str = _setting(
        "auto",
        _one_of("auto", "sdpa", "triton", "flash"),
        "how it attends: `auto`, `sdpa`, `triton` or `flash`, which needs flash-attn",
    )
    torch_compile: bool = _setting(
        False, _switch, "its step is compiled first: minutes at the start, less time for each frame"
    )
    max_batch_size: int = _setting(
        32, _whole(1, 256), "utterances that it speaks in one step; more take turns"
    )
    max_new_tokens: int = _setting(
        0, _whole(0, 32_768), "most frames of 80 ms that it makes of a text; 0: by the length of the text"
    )
    preload_model: bool = _setting(
        True, _switch, "load the model at the start; 0: when somebody first wants to hear it"
    )
    idle_timeout: float = _setting(
        0.0,
        _number(0, 86_400, "seconds"),
        "a model that has made no sound for so many seconds is unloaded until it is wanted again; 0: never"
        " (of sessions: `IDLE_TIMEOUT_S`)",
    )
    encoder_threads: int = _setting(1, _whole(1, 64), "threads that encode sound")
    opus_bitrate: int = _setting(
        64_000, _whole(6_000, 256_000), "bit/s of Opus, if a session asks for no other"
    )
    buffer_ms: int = _setting(10_000, _whole(100, 60_000), "sound of a context that may wait unsent, in ms")
    max_lead_ms: int = _setting(
        10_000,
        _whole(0, 3_600_000),
        "sound sent ahead of what was played, in ms, if a session asks for no other; 0: no limit",
    )
    speed_quality: str = _setting(
        "fast",
        _one_of("fast", "high"),
        "`high`: whole files are made faster or slower by Rubber Band, if it is installed",
    )
    silence_threshold_db: float = _setting(
        -45.0,
        _number(-80, -20, "decibels"),
        "what is softer (dBFS) before and after speech counts as silence",
    )
    loudness_lufs: float | None = _setting(
        None,
        _number(-40, -10, "loudness in LUFS", or_none=True),
        "loudness of all voices; `none`: as they are",
    )
    audio_cache_mb: int = _setting(
        64, _whole(0, 1_000_000), "memory for sound made before, in MB; 0: none is kept"
    )
    audio_cache_max: int = _setting(10_000, _whole(0, 10_000_000), "most entries of that; 0: none is kept")
    redis_url: str = _setting(
        "none", _text, "a Redis in which servers share that sound for 24 hours", secret=True
    )
    data_folder: str = _setting(
        "~/.local/share/realtime-voice", _text, "where recordings of voices to be cloned are kept"
    )
    max_voices: int = _setting(1_000, _whole(0, 1_000_000), "cloned voices that are kept")
    voice_cache_max: int = _setting(
        32, _whole(0, 100_000), "prompts of cloned voices that are kept in memory"
    )
    max_sessions: int = _setting(256, _whole(1, 100_000), "sessions at the same time")
    max_utterances: int = _setting(
        512, _whole(1, 100_000), "contexts spoken at the same time, over all sessions"
    )
    max_queue_depth: int = _setting(
        256, _whole(1, 100_000), "contexts and requests that may wait for their first sound; more get 503"
    )
    max_wait_ms: int = _setting(
        5000, _whole(0, 600_000), "who would wait longer for the first sound gets 503; 0: no limit"
    )
    max_contexts: int = _setting(16, _whole(1, 1024), "contexts open at the same time, per session")
    max_text_per_message: int = _setting(16 * 1024, _whole(1, 1024 * 1024), "bytes of text in one message")
    max_text_per_context: int = _setting(
        64 * 1024, _whole(1, 16 * 1024 * 1024), "bytes of text in one context"
    )
    text_wait_ms: int = _setting(
        1_000,
        _whole(0, 60_000),
        "text that stops arriving is spoken after so long, when the listener has nothing else; 0: never",
    )
    code_blocks: str = _setting(
        "skip",
        _one_of("skip", "say", "announce"),
        "blocks of code in a text: `skip`, `say` or `announce` them",
    )
    tables: str = _setting("say", _one_of("skip", "say", "announce"), "the same for tables")
    lexicon: str = _setting("none", _text, "file of words and what is said for them")
    request_timeout_s: float = _setting(
        60.0, _number(0.1, 3600, "seconds"), "time for a client to send the whole of a request"
    )
    resume_window_s: float = _setting(
        30.0, _number(0, 3600, "seconds"), "a session whose connection was lost may be resumed for so long"
    )
    heartbeat_s: float = _setting(
        20.0, _number(0, 3600, "seconds"), "a client that is silent for so long is pinged; 0: none is"
    )
    max_messages_per_s: int = _setting(
        2_000, _whole(0, 1_000_000), "messages of a session that are read in a second; 0: no limit"
    )
    rtc: bool = _setting(True, _switch, "serve WebRTC: sound as a track")
    rtc_addresses: str = _setting(
        "auto",
        _addresses,
        "addresses for WebRTC (UDP), separated by commas; `auto`: as `HOST`, and for this machine alone if"
        " that is",
    )
    rtc_public_address: str = _setting(
        "none", _address_or_none, "what a router makes of them: the address that peers are told as well"
    )
    rtc_ports: str = _setting("any", _port_range, "ports for WebRTC, as 50000-50999; `any`: free ones")
    stun_urls: str = _setting(
        "none", _ice_urls("stun"), "STUN servers, as stun:host:3478, separated by commas"
    )
    turn_urls: str = _setting(
        "none",
        _ice_urls("turn"),
        "TURN servers, as turn:host:3478?transport=udp, separated by commas; the server asks the first, and"
        " clients are told of all",
    )
    turn_username: str = _setting("none", _text, "name for them")
    turn_password: str = _setting("none", _text, "password for them", secret=True)
    turn_secret: str = _setting(
        "none", _text, "instead: what they make passwords of that hold for a day", secret=True
    )
    rtc_connect_s: float = _setting(
        15.0, _number(0.1, 300, "seconds"), "a WebRTC peer may take so long to connect"
    )
    rtc_lost_s: float = _setting(
        30.0, _number(1, 300, "seconds"), "a WebRTC peer that answers nothing for so long is gone"
    )
    idle_timeout_s: float = _setting(
        300.0,
        _number(1, 86_400, "seconds"),
        "a session in which nothing is sent is closed (of the model: `IDLE_TIMEOUT`)",
    )
    drain_s: float = _setting(
        30.0, _number(0, 3600, "seconds"), "after SIGTERM, what is running may go on for so long"
    )
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "least level that is logged"
    )
    log_format: str = _setting(
        "console", _one_of("console", "json"), "`console` for people, `json` for machines"
    )
    log_text: bool = _setting(False, _switch, "log the text that is spoken")


#: Settings of a model, and of when it is loaded; the engine for tests has the latter as well.
_OF_MODEL = (
    "model_id",
    "model_device",
    "model_dtype",
    "attention",
    "torch_compile",
    "max_batch_size",
    "max_new_tokens",
)
_OF_LIFE = ("preload_model", "idle_timeout")
_OF_WEBRTC = (
    "rtc_addresses",
    "rtc_public_address",
    "rtc_ports",
    "rtc_connect_s",
    "rtc_lost_s",
    "stun_urls",
    "turn_urls",
)
#: Environment variables that hold secrets, or say where they are.
SECRETS = (*(each.name.upper() for each in fields(Config) if each.metadata["secret"]), "API_KEYS_FILE")


def from_environment(environment: Mapping[str, str]) -> Config:
    """The settings that an environment gives; raises `ConfigError` with one line that names the variable."""
    values: dict[str, Any] = {}
    for setting in fields(Config):
        name = setting.name.upper()
        if name not in environment:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](environment[name])
        except ConfigError as error:
            shown = "" if setting.metadata["secret"] else f", not {environment[name]!r}"
            raise ConfigError(f"{name} must be {error.message}{shown}") from None
    return Config(**values)


def without_effect(config: Config) -> list[str]:
    """What was set and does nothing as long as something else is not set, one line each."""
    has_keys = config.api_keys != "none" or config.api_keys_file != "none"
    has_cache = config.audio_cache_mb > 0 and config.audio_cache_max > 0
    has_addresses = config.address_concurrency > 0 or config.address_requests_per_minute > 0
    cases = (
        (config.redis_url != "none" and not has_cache, "REDIS_URL: AUDIO_CACHE_MB or AUDIO_CACHE_MAX is 0"),
        (config.key_concurrency > 0 and not has_keys, "KEY_CONCURRENCY: there are no keys"),
        (config.key_requests_per_minute > 0 and not has_keys, "KEY_REQUESTS_PER_MINUTE: there are no keys"),
        (
            config.trusted_proxies != "none" and not has_addresses,
            "TRUSTED_PROXIES: ADDRESS_CONCURRENCY and ADDRESS_REQUESTS_PER_MINUTE are 0",
        ),
        (config.uds_mode != Config().uds_mode and config.uds == "none", "UDS_MODE: there is no UDS"),
        *(
            (getattr(config, name) != getattr(Config(), name), f"{name.upper()}: there are no TURN_URLS")
            for name in ("turn_username", "turn_password", "turn_secret")
            if config.turn_urls == "none"
        ),
        *(
            (getattr(config, name) != getattr(Config(), name), f"{name.upper()}: RTC is 0")
            for name in _OF_WEBRTC
            if not config.rtc
        ),
        *(
            (getattr(config, name) != getattr(Config(), name), f"{name.upper()}: ENGINE is not `qwen3`")
            for name in (*_OF_MODEL, *_OF_LIFE)
            if config.engine != "qwen3" and not (config.engine == "tone" and name in _OF_LIFE)
        ),
    )
    return [text for applies, text in cases if applies]


def given(setting: str) -> str | None:
    """A setting that may be `none`, which is None."""
    return None if setting.lower() == "none" else setting


def table() -> list[tuple[str, str, str]]:
    """(environment variable, default, meaning) of every setting, for the README."""
    rows: list[tuple[str, str, str]] = []
    for setting in fields(Config):
        default = setting.default
        shown = f"{default:g}" if isinstance(default, int | float) else str(default or "none")
        rows.append((setting.name.upper(), shown, setting.metadata["help"]))
    return rows
