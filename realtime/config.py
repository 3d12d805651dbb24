"""Settings: names, defaults, bounds. A value that is unknown or out of range stops the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from realtime.config_values import (
    address_or_none,
    addresses,
    cores,
    device,
    ice_urls,
    mode,
    number,
    one_of,
    port_range,
    switch,
    text,
    whole,
)
from realtime.errors import ConfigError


def _setting(default: Any, parse: Callable[[str], Any], help_text: str, *, secret: bool = False) -> Any:
    metadata = {"parse": parse, "help": help_text, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force. The environment variable of a field is its name in capitals."""

    host: str = _setting("127.0.0.1", text, "address to listen on; `none`: on the socket file `UDS` alone")
    port: int = _setting(8000, whole(0, 65535), "port to listen on; 0 takes a free one")
    uds: str = _setting("none", text, "path of a Unix domain socket to listen on as well")
    uds_mode: str = _setting("660", mode, "mode bits of that socket file, in octal")
    api_keys: str = _setting(
        "none", text, "keys of clients, separated by commas; `none`: everybody may speak", secret=True
    )
    api_keys_file: str = _setting(
        "none", text, "file with one key in a line, with a name and limits of its own"
    )
    key_concurrency: int = _setting(
        0, whole(0, 100_000), "sessions and requests at the same time, per key; 0: no limit"
    )
    key_requests_per_minute: int = _setting(
        0, whole(0, 1_000_000), "sessions and requests begun in a minute, per key; 0: no limit"
    )
    address_concurrency: int = _setting(
        0, whole(0, 100_000), "sessions and requests at the same time, per address of clients; 0: no limit"
    )
    address_requests_per_minute: int = _setting(
        0, whole(0, 1_000_000), "sessions and requests begun in a minute, per address; 0: no limit"
    )
    trusted_proxies: str = _setting(
        "none",
        text,
        "addresses and networks of proxies, whose `X-Forwarded-For` tells the address of a client; `unix`:"
        " what comes over `UDS`",
    )
    allowed_origins: str = _setting(
        "none",
        text,
        "origins of web pages that may use the server, separated by commas, or `*`; `none`: its own alone",
    )
    engine: str = _setting(
        "embedded",
        one_of("embedded", "qwen3", "tone"),
        "what speaks; `qwen3` needs the extra of that name, `tone` is for tests",
    )
    engine_runner: str = _setting(
        "process",
        one_of("process", "thread"),
        "where the engine runs: `process` or `thread`",
    )
    engine_threads: int = _setting(
        0,
        whole(0, 64),
        "segments synthesized at the same time; 0: one less than there are cores, two of two, at most 4",
    )
    cpu_affinity: frozenset[int] | None = _setting(
        None,
        cores,
        "cores that the server runs on, and its engine's processes unless told otherwise, as 0-3,6;"
        " `none`: all",
    )
    engine_cpu_affinity: frozenset[int] | None = _setting(
        None, cores, "cores that the engine's processes run on; `none`: as the server"
    )
    allocator: str = _setting(
        "system",
        one_of("system", "jemalloc"),
        "what gives out memory: `system`, or `jemalloc`",
    )
    engine_timeout_s: float = _setting(
        30.0,
        number(0.1, 3600, "seconds"),
        "an engine process that makes no progress for so long is replaced",
    )
    model_id: str = _setting(
        "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
        text,
        "the model of `qwen3`: its name on Hugging Face, or a folder",
    )
    model_device: str = _setting("auto", device, "where it runs: `auto`, `cpu`, `cuda` or one card, `cuda:1`")
    model_dtype: str = _setting(
        "auto",
        one_of("auto", "float32", "bfloat16", "float16"),
        "numbers that it computes with: `auto`, `float32`, `bfloat16` or `float16`",
    )
    attention: str = _setting(
        "auto",
        one_of("auto", "sdpa", "triton", "flash"),
        "how it attends: `auto`, `sdpa`, `triton` or `flash`, which needs flash-attn",
    )
    torch_compile: bool = _setting(
        False, switch, "its step is compiled first: minutes at the start, less time for each frame"
    )
    max_batch_size: int = _setting(
        32, whole(1, 256), "utterances that it speaks in one step; more take turns"
    )
    max_new_tokens: int = _setting(
        0, whole(0, 32_768), "most frames of 80 ms that it makes of a text; 0: by the length of the text"
    )
    preload_model: bool = _setting(
        True, switch, "load the model at the start; 0: when somebody first wants to hear it"
    )
    idle_timeout: float = _setting(
        0.0,
        number(0, 86_400, "seconds"),
        "a model that has made no sound for so many seconds is unloaded until it is wanted again; 0: never"
        " (of sessions: `IDLE_TIMEOUT_S`)",
    )
    encoder_threads: int = _setting(
        0, whole(0, 64), "threads that encode sound; 0: one for each four cores, at most 4"
    )
    opus_bitrate: int = _setting(
        64_000, whole(6_000, 256_000), "bit/s of Opus, if a session asks for no other"
    )
    buffer_ms: int = _setting(10_000, whole(100, 60_000), "sound of a context that may wait unsent, in ms")
    max_lead_ms: int = _setting(
        10_000,
        whole(0, 3_600_000),
        "sound sent ahead of what was played, in ms, if a session asks for no other; 0: no limit",
    )
    speed_quality: str = _setting(
        "fast",
        one_of("fast", "high"),
        "`high`: whole files are made faster or slower by Rubber Band, if it is installed",
    )
    silence_threshold_db: float = _setting(
        -45.0,
        number(-80, -20, "decibels"),
        "what is softer (dBFS) before and after speech counts as silence",
    )
    loudness_lufs: float | None = _setting(
        None,
        number(-40, -10, "loudness in LUFS", or_none=True),
        "loudness of all voices; `none`: as they are",
    )
    audio_cache_mb: int = _setting(
        64, whole(0, 1_000_000), "memory for sound made before, in MB; 0: none is kept"
    )
    audio_cache_max: int = _setting(10_000, whole(0, 10_000_000), "most entries of that; 0: none is kept")
    redis_url: str = _setting(
        "none", text, "a Redis in which servers share that sound for 24 hours", secret=True
    )
    data_folder: str = _setting(
        "~/.local/share/realtime-voice", text, "where recordings of voices to be cloned are kept"
    )
    max_voices: int = _setting(1_000, whole(0, 1_000_000), "cloned voices that are kept")
    voice_cache_max: int = _setting(32, whole(0, 100_000), "prompts of cloned voices that are kept in memory")
    max_sessions: int = _setting(256, whole(1, 100_000), "sessions at the same time")
    max_utterances: int = _setting(
        512, whole(1, 100_000), "contexts spoken at the same time, over all sessions"
    )
    max_queue_depth: int = _setting(
        256, whole(1, 100_000), "contexts and requests that may wait for their first sound; more get 503"
    )
    max_wait_ms: int = _setting(
        5000, whole(0, 600_000), "who would wait longer for the first sound gets 503; 0: no limit"
    )
    max_contexts: int = _setting(16, whole(1, 1024), "contexts open at the same time, per session")
    max_text_per_message: int = _setting(16 * 1024, whole(1, 1024 * 1024), "bytes of text in one message")
    max_text_per_context: int = _setting(
        64 * 1024, whole(1, 16 * 1024 * 1024), "bytes of text in one context"
    )
    text_wait_ms: int = _setting(
        1_000,
        whole(0, 60_000),
        "text that stops arriving is spoken after so long, when the listener has nothing else; 0: never",
    )
    code_blocks: str = _setting(
        "skip",
        one_of("skip", "say", "announce"),
        "blocks of code in a text: `skip`, `say` or `announce` them",
    )
    tables: str = _setting("say", one_of("skip", "say", "announce"), "the same for tables")
    lexicon: str = _setting("none", text, "file of words and what is said for them")
    request_timeout_s: float = _setting(
        60.0, number(0.1, 3600, "seconds"), "time for a client to send the whole of a request"
    )
    resume_window_s: float = _setting(
        30.0, number(0, 3600, "seconds"), "a session whose connection was lost may be resumed for so long"
    )
    heartbeat_s: float = _setting(
        20.0, number(0, 3600, "seconds"), "a client that is silent for so long is pinged; 0: none is"
    )
    max_messages_per_s: int = _setting(
        2_000, whole(0, 1_000_000), "messages of a session that are read in a second; 0: no limit"
    )
    rtc: bool = _setting(True, switch, "serve WebRTC: sound as a track")
    rtc_addresses: str = _setting(
        "auto",
        addresses,
        "addresses for WebRTC (UDP), separated by commas; `auto`: as `HOST`, and for this machine alone if"
        " that is",
    )
    rtc_public_address: str = _setting(
        "none", address_or_none, "what a router makes of them: the address that peers are told as well"
    )
    rtc_ports: str = _setting("any", port_range, "ports for WebRTC, as 50000-50999; `any`: free ones")
    stun_urls: str = _setting(
        "none", ice_urls("stun"), "STUN servers, as stun:host:3478, separated by commas"
    )
    turn_urls: str = _setting(
        "none",
        ice_urls("turn"),
        "TURN servers, as turn:host:3478?transport=udp, separated by commas; the server asks the first, and"
        " clients are told of all",
    )
    turn_username: str = _setting("none", text, "name for them")
    turn_password: str = _setting("none", text, "password for them", secret=True)
    turn_secret: str = _setting(
        "none", text, "instead: what they make passwords of that hold for a day", secret=True
    )
    rtc_connect_s: float = _setting(
        15.0, number(0.1, 300, "seconds"), "a WebRTC peer may take so long to connect"
    )
    rtc_lost_s: float = _setting(
        30.0, number(1, 300, "seconds"), "a WebRTC peer that answers nothing for so long is gone"
    )
    idle_timeout_s: float = _setting(
        300.0,
        number(1, 86_400, "seconds"),
        "a session in which nothing is sent is closed (of the model: `IDLE_TIMEOUT`)",
    )
    drain_s: float = _setting(
        30.0, number(0, 3600, "seconds"), "after SIGTERM, what is running may go on for so long"
    )
    log_level: str = _setting(
        "info", one_of("debug", "info", "warning", "error"), "least level that is logged"
    )
    log_format: str = _setting(
        "console", one_of("console", "json"), "`console` for people, `json` for machines"
    )
    log_text: bool = _setting(False, switch, "log the text that is spoken")
    log_access: bool = _setting(
        True, switch, "log every request; 0: only those that were refused, and all that was spoken"
    )
    metrics: str = _setting(
        "open",
        one_of("open", "key", "off"),
        "who may read `/metrics`: everybody (`open`), who has a key (`key`), or nobody (`off`)",
    )

    @property
    def engine_has_processes(self) -> bool:
        """Whether what speaks runs in processes of its own."""
        return self.engine_runner == "process" or self.engine == "qwen3"


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
            config.trusted_proxies != "none" and not has_addresses and not config.log_access,
            "TRUSTED_PROXIES: LOG_ACCESS, ADDRESS_CONCURRENCY and ADDRESS_REQUESTS_PER_MINUTE are 0",
        ),
        (
            config.engine_cpu_affinity is not None and not config.engine_has_processes,
            "ENGINE_CPU_AFFINITY: ENGINE_RUNNER is `thread`",
        ),
        (config.metrics == "key" and not has_keys, "METRICS: there are no keys"),
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
