"""Panels of what listeners get: at a glance, how soon, and without gaps."""

from __future__ import annotations

from parts import FAULTS, HERE, Panel, Query, Row, percentile, quantile, quantiles, rate


def _first_audio(share: float, meaning: str, thresholds: tuple[float, ...] = ()) -> Panel:
    query = Query(quantile(share, "tts_first_audio_seconds", "endpoint"), "{{endpoint}}", exemplars=True)
    return Panel(
        f"First sound, {percentile(share)}",
        f"{meaning} From text that can be spoken, and its turn, to the first packet.",
        "s",
        (query,),
        thresholds=thresholds,
    )


GLANCE = Row(
    "At a glance",
    (
        Panel(
            "Can speak",
            "Whether every server would take a request now. One that does not answer counts as one"
            " that cannot.",
            "none",
            (Query(f"min(tts_ready{{{HERE}}} or up{{{HERE}}} * 0)"),),
            "stat",
            3,
            4,
            words={"0": ("no", "red"), "1": ("yes", "green")},
        ),
        Panel(
            "Alerts",
            "Alerts of rules.yml that are firing. Prometheus lists them at /alerts.",
            "none",
            (Query(f'count(ALERTS{{alertstate="firing", alertname=~"Tts.*", {HERE}}}) or vector(0)'),),
            "stat",
            3,
            4,
            thresholds=(1,),
        ),
        Panel(
            "Sessions",
            "Sessions, with or without a connection, and how many there may be (MAX_SESSIONS).",
            "none",
            (
                Query(f"sum(tts_sessions{{{HERE}}})", "now"),
                Query(f"sum(tts_sessions_limit{{{HERE}}})", "limit"),
            ),
            "stat",
            4,
            4,
        ),
        Panel(
            "Waiting",
            "Texts that wait for their first sound. A few come and go; many that stay are too much load.",
            "none",
            (Query(f"sum(tts_queue_depth{{{HERE}}})"),),
            "stat",
            3,
            4,
            thresholds=(6, 50),
        ),
        Panel(
            "First sound",
            "How long listeners wait for the first sound, in the last 5 minutes: half of them less than the"
            " first figure, 19 in 20 less than the second.",
            "s",
            (
                Query(f"{quantile(0.5, 'tts_first_audio_seconds', over='5m')} >= 0", "p50"),
                Query(f"{quantile(0.95, 'tts_first_audio_seconds', over='5m')} >= 0", "p95"),
            ),
            "stat",
            5,
            4,
            thresholds=(0.3, 0.5),
        ),
        Panel(
            "Gaps, last hour",
            "How often a listener ran dry although there was text (underruns): a gap in the sound.",
            "none",
            (Query(f"sum(increase(tts_underruns_total{{{HERE}}}[1h]))"),),
            "stat",
            3,
            4,
            thresholds=(1, 10),
            decimals=0,
        ),
        Panel(
            "Faults, last hour",
            "Errors that are the server's: engine_failed, internal, storage_failed. Clients'"
            " mistakes are in Load.",
            "none",
            (Query(f'sum(increase(tts_errors_total{{{HERE}, type=~"{FAULTS}"}}[1h]))'),),
            "stat",
            3,
            4,
            thresholds=(1, 10),
            decimals=0,
        ),
    ),
)

LATENCY = Row(
    "Latency",
    (
        _first_audio(0.5, "Half of the listeners wait less."),
        _first_audio(0.95, "One listener in 20 waits longer. TtsFirstAudioSlow fires over 0.5 s.", (0.5,)),
        _first_audio(0.99, "One listener in 100 waits longer."),
        Panel(
            "First sound, all",
            "How many waited how long: two bands tell of two kinds of requests, a drift upwards of load.",
            "s",
            (
                Query(
                    f"sum by (le) (increase(tts_first_audio_seconds_bucket{{{HERE}}}[$__rate_interval]))",
                    "{{le}}",
                ),
            ),
            "heatmap",
            12,
        ),
        Panel(
            "First sound by server, p95",
            "Which server, and which way in, is slow: over 5 minutes, as the alert sees it.",
            "s",
            (
                Query(
                    f"instance_endpoint:tts_first_audio_seconds:p95_5m{{{HERE}}}",
                    "{{instance}} {{endpoint}}",
                ),
            ),
            width=12,
            thresholds=(0.5,),
        ),
        Panel(
            "Wait for the engine",
            "How long a text waited for the engine to take it up: part of the first sound.",
            "s",
            quantiles("tts_queue_wait_seconds", 0.5, 0.95, 0.99),
            logarithmic=True,
        ),
        Panel(
            "Cancel to silence",
            "After a barge-in, until the last byte of the sound had left.",
            "s",
            quantiles("tts_cancel_to_silence_seconds", 0.5, 0.95, 0.99),
            logarithmic=True,
        ),
        Panel(
            "Cancel to free engine",
            "After a barge-in, until the engine could do something else.",
            "s",
            quantiles("tts_engine_freed_seconds", 0.5, 0.95, 0.99),
            logarithmic=True,
        ),
        Panel(
            "Encoding, p95",
            "Time to encode the sound of a whole text. It grows with the text.",
            "s",
            (Query(quantile(0.95, "tts_encode_duration_seconds", "format"), "{{format}}"),),
            logarithmic=True,
        ),
        Panel(
            "Lag of the event loop",
            "How late the server comes to what is due. Over 50 ms packets leave too late: TtsEventLoopLag.",
            "s",
            quantiles("tts_event_loop_lag_seconds", 0.5, 0.99),
            thresholds=(0.05,),
            logarithmic=True,
        ),
        Panel(
            "Wait for text, p95",
            "From the first character to a piece that can be spoken: how slowly clients, or their"
            " LLM, write.",
            "s",
            (Query(quantile(0.95, "tts_first_text_seconds", "endpoint"), "{{endpoint}}"),),
            logarithmic=True,
        ),
    ),
)

LISTENERS = Row(
    "Listeners",
    (
        Panel(
            "Sound in hand",
            "What listeners have in hand while more is made. The lowest line tells who is about to run dry.",
            "s",
            quantiles("tts_listener_lead_seconds", 0.01, 0.1, 0.5),
            width=6,
        ),
        Panel(
            "Gaps",
            "How often listeners ran dry although there was text, in a minute, by server.",
            "none",
            (Query(f"{rate('tts_underruns_total')} * 60", "{{instance}}"),),
            width=6,
        ),
        Panel(
            "Gaps for each text",
            "The same by texts that were spoken, over 5 minutes. TtsUnderruns fires over 2 %.",
            "percentunit",
            (
                Query(f"instance:tts_underruns:ratio_5m{{{HERE}}}", "{{instance}}"),
                Query(f"sum({rate('tts_underrun_seconds_total')})", "silence, seconds in a second"),
            ),
            width=6,
            thresholds=(0.02,),
        ),
        Panel(
            "Sound for nobody",
            "Synthesized and never heard, as listeners interrupt: seconds in a second.",
            "none",
            (
                Query(f"sum({rate('tts_wasted_audio_seconds_total')})", "for nobody"),
                Query(f"sum({rate('tts_audio_duration_seconds_sum')})", "made in all"),
            ),
            width=6,
        ),
    ),
)
