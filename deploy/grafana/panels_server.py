"""Panels of what the server does for that: load, engine, caches, processes."""

from __future__ import annotations

from parts import HERE, NO_PROBES, Panel, Query, Row, quantile, quantiles, rate

LOAD = Row(
    "Load",
    (
        Panel(
            "Sessions",
            "All, and of these the ones that have lost their connection and may be resumed.",
            "none",
            (
                Query(f"sum(tts_sessions{{{HERE}}})", "sessions"),
                Query(f"sum(tts_sessions_detached{{{HERE}}})", "without a connection"),
                Query(f"sum(tts_peers{{{HERE}}})", "WebRTC peers"),
                Query(f"sum(tts_sessions_limit{{{HERE}}})", "limit"),
            ),
        ),
        Panel(
            "Being spoken",
            "Contexts of sessions and requests over HTTP that are under way.",
            "none",
            (
                Query(f"sum(tts_contexts{{{HERE}}})", "contexts"),
                Query(f"sum(tts_requests_in_progress{{{HERE}}})", "requests"),
            ),
            stacked=True,
        ),
        Panel(
            "Waiting for the first sound",
            "Texts that can be spoken and are not heard yet, by server. TtsQueueDeep fires over 5"
            " for a minute.",
            "none",
            (Query(f"tts_queue_depth{{{HERE}}}", "{{instance}}"),),
            thresholds=(6,),
        ),
        Panel(
            "Requests by endpoint",
            "Requests that were answered and sessions that ended, in a second. Without probes and scrapes.",
            "reqps",
            (
                Query(
                    f"sum by (endpoint) ({rate('tts_requests_total', NO_PROBES)})",
                    "{{endpoint}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Requests by status",
            "The same by HTTP status; 101 are WebSockets.",
            "reqps",
            (Query(f"sum by (status) ({rate('tts_requests_total', NO_PROBES)})", "{{status}}"),),
            stacked=True,
        ),
        Panel(
            "Texts by outcome",
            "What became of texts: completed, cancelled by a barge-in, failed, or their listener went away.",
            "ops",
            (Query(f"sum by (outcome) ({rate('tts_utterances_total')})", "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Sound made",
            "Seconds of sound in a second: about as many as hear something at the same time.",
            "none",
            (Query(f"sum by (endpoint) ({rate('tts_audio_duration_seconds_sum')})", "{{endpoint}}"),),
            stacked=True,
        ),
        Panel(
            "Text spoken",
            "Characters in a second.",
            "cps",
            (Query(f"sum by (endpoint) ({rate('tts_text_characters_sum')})", "{{endpoint}}"),),
            stacked=True,
        ),
        Panel(
            "Length of texts",
            "In characters: long ones take long, and short ones have less time for everything.",
            "none",
            quantiles("tts_text_characters", 0.5, 0.95),
        ),
        Panel(
            "Errors by kind",
            "What clients were told, by code, in a second; kinds that do not occur are left out.",
            "ops",
            (Query(f"sum by (type) ({rate('tts_errors_total')}) > 0", "{{type}}"),),
            stacked=True,
        ),
        Panel(
            "Turned away, and failed",
            "Shares of all texts in 5 minutes: queue_full, and faults of the server. TtsRefuses and"
            " TtsFaults.",
            "percentunit",
            (
                Query(f"instance:tts_refusals:ratio_5m{{{HERE}}}", "turned away {{instance}}"),
                Query(f"instance:tts_faults:ratio_5m{{{HERE}}}", "failed {{instance}}"),
            ),
        ),
        Panel(
            "Whole texts, p95",
            "From the first character to the last packet. What is heard while it is made takes as"
            " long as it sounds.",
            "s",
            (Query(quantile(0.95, "tts_request_duration_seconds", "endpoint"), "{{endpoint}}"),),
            logarithmic=True,
        ),
    ),
)

ENGINE = Row(
    "Engine",
    (
        Panel(
            "State",
            "What the engines are at. Unloaded is no fault: whoever wants to hear it has it loaded.",
            "none",
            (Query(f"max by (instance, state) (tts_engine_state{{{HERE}}})", "{{instance}} {{state}}"),),
            "state-timeline",
            words={"0": ("no", "transparent"), "1": ("yes", "blue")},
        ),
        Panel(
            "Time of the engine, p95",
            "For a text, by voice: of what was not found in a cache.",
            "s",
            (Query(quantile(0.95, "tts_synthesis_duration_seconds", "voice"), "{{voice}}"),),
            logarithmic=True,
        ),
        Panel(
            "Time for a second of sound, p95",
            "By the length of the text, in characters. Under 1 one listener is kept up with; many"
            " need far less.",
            "none",
            (Query(quantile(0.95, "tts_real_time_factor", "length"), "{{length}}"),),
            logarithmic=True,
        ),
        Panel(
            "Texts in a step",
            "How many are spoken together, of an engine that works in steps (qwen3).",
            "none",
            (
                *quantiles("tts_batch_size", 0.5, 0.95),
                Query(f"sum({rate('tts_batch_size_sum')}) / sum({rate('tts_batch_size_count')})", "mean"),
            ),
        ),
        Panel(
            "Time of a step",
            "A step gives each of its texts a frame (80 ms of sound for qwen3): above that nobody is"
            " kept up with.",
            "s",
            quantiles("tts_frame_seconds", 0.5, 0.95, 0.99),
            thresholds=(0.08,),
            logarithmic=True,
        ),
        Panel(
            "Pieces that wait",
            "Pieces of text that the engine has not taken up, by server.",
            "none",
            (Query(f"tts_segments_waiting{{{HERE}}}", "{{instance}}"),),
        ),
        Panel(
            "Restarts, in 15 minutes",
            "Processes of the engine that died or hung and were replaced. TtsEngineRestarted fires"
            " at the first.",
            "none",
            (Query(f"increase(tts_engine_restarts_total{{{HERE}}}[15m])", "{{instance}}"),),
            thresholds=(1, 4),
            decimals=0,
        ),
        Panel(
            "GPU memory",
            "In use by the engine, taken by it, and all of the card. 0 where there is none.",
            "bytes",
            (
                Query(f"tts_gpu_allocated_bytes{{{HERE}}}", "in use {{instance}}"),
                Query(f"tts_gpu_reserved_bytes{{{HERE}}}", "taken {{instance}}"),
                Query(f"tts_gpu_total_bytes{{{HERE}}}", "all {{instance}}"),
            ),
        ),
        Panel(
            "GPU memory taken",
            "Of all of the card. TtsGpuMemoryFull fires over 95 %.",
            "percentunit",
            (Query(f"instance:tts_gpu_reserved:ratio{{{HERE}}}", "{{instance}}"),),
            thresholds=(0.95,),
        ),
    ),
)

CACHES = Row(
    "Caches",
    (
        Panel(
            "Found",
            "Share of what was looked for, over 5 minutes: audio in memory, shared in Redis, prompts"
            " of cloned voices.",
            "percentunit",
            (Query(f"instance_cache:tts_cache_hits:ratio_5m{{{HERE}}}", "{{cache}} {{instance}}"),),
            width=6,
        ),
        Panel(
            "Looked for",
            "Lookups in a second, by cache, and whether they found something.",
            "ops",
            (
                Query(f"sum by (cache) ({rate('tts_cache_hits_total')})", "{{cache}} found"),
                Query(f"sum by (cache) ({rate('tts_cache_misses_total')})", "{{cache}} missed"),
            ),
            width=6,
            stacked=True,
        ),
        Panel(
            "Entries",
            "What is kept in memory, and cloned voices on disk.",
            "none",
            (
                Query(f"sum by (cache) (tts_cache_entries{{{HERE}}})", "{{cache}}"),
                Query(f"sum(tts_voices_cloned{{{HERE}}})", "cloned voices"),
            ),
            width=6,
        ),
        Panel(
            "Memory",
            "Of sound that is kept, by server (AUDIO_CACHE_MB).",
            "bytes",
            (Query(f"tts_cache_bytes{{{HERE}}}", "{{cache}} {{instance}}"),),
            width=3,
        ),
        Panel(
            "Redis",
            "Whether servers reach the Redis that they share. Nothing where there is none.",
            "none",
            (Query(f"min(tts_cache_up{{{HERE}}})"),),
            "stat",
            3,
            words={"0": ("lost", "red"), "1": ("reached", "green")},
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        Panel(
            "Memory",
            "Resident: of the server's process, and of its engine's processes. It settles after an"
            " hour of load.",
            "bytes",
            (
                Query(f"process_resident_memory_bytes{{{HERE}}}", "server {{instance}}"),
                Query(f"tts_engine_resident_bytes{{{HERE}}}", "engine {{instance}}"),
            ),
        ),
        Panel(
            "CPU",
            "Cores in use. The server's own process has one at most: above 0.8 it is the bottleneck.",
            "none",
            (
                Query(rate("process_cpu_seconds_total"), "server {{instance}}"),
                Query(rate("tts_engine_cpu_seconds_total"), "engine {{instance}}"),
            ),
        ),
        Panel(
            "Open files",
            "Connections are files. TtsFilesNearLimit fires at 80 % of the limit.",
            "none",
            (
                Query(f"process_open_fds{{{HERE}}}", "open {{instance}}"),
                Query(f"process_max_fds{{{HERE}}}", "limit {{instance}}"),
            ),
            logarithmic=True,
        ),
        Panel(
            "Collections of garbage",
            "Of Python, in a second, by generation: the oldest one holds everything up, and should be rare.",
            "ops",
            (
                Query(
                    f"sum by (generation) ({rate('python_gc_collections_total')})",
                    "generation {{generation}}",
                ),
            ),
        ),
        Panel(
            "Tasks",
            "Of the event loop, by server. What only grows is a leak.",
            "none",
            (Query(f"tts_event_loop_tasks{{{HERE}}}", "{{instance}}"),),
        ),
        Panel(
            "Processes of the engine",
            "As many as ENGINE_THREADS and the engine ask for; 0 with ENGINE_RUNNER=thread.",
            "none",
            (Query(f"tts_engine_processes{{{HERE}}}", "{{instance}}"),),
            width=4,
        ),
        Panel(
            "Up for",
            "Since the start of the youngest server.",
            "s",
            (Query(f"min(time() - process_start_time_seconds{{{HERE}}})"),),
            "stat",
            2,
        ),
        Panel(
            "Version",
            "How many servers run which version, with which engine.",
            "none",
            (Query(f"count by (version, engine) (tts_build_info{{{HERE}}})", "{{version}} {{engine}}"),),
            "stat",
            2,
        ),
    ),
)
