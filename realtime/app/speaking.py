"""Makes the speaker of each context and each request, by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from realtime.app.building import text_options
from realtime.audio.formats import make_encoder
from realtime.audio.rubberband import RubberBandTempo
from realtime.audio.tempo import Tempo
from realtime.config import Config
from realtime.live.contexts import OpenSpeakerFor
from realtime.speech.speaker import Listener, Speaker, Studio
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import Frontend
from realtime.types import AudioSettings, VoiceSettings


def speaker_opener(
    config: Config, lexicon: Mapping[str, str], studio: Studio, stretchers: UrgentThreads | None
) -> OpenSpeakerFor:
    """The one way from text to sound, for sessions and requests alike.

    `stretchers` run Rubber Band for whole files: it takes long, and must not keep the encoders from those who
    listen. None: it is not used.
    """
    patient_studio = None if stretchers is None else replace(studio, executor=stretchers)

    def open_speaker(settings: VoiceSettings, audio: AudioSettings, listener: Listener) -> Speaker:
        patient = patient_studio if audio.whole and settings.speed != 1 else None
        timeline = Timeline(
            make_encoder(audio),
            settings.speed,
            never_empty=audio.never_empty,
            silence_db=config.silence_threshold_db,
            tempo=RubberBandTempo if patient else Tempo,
        )
        options = text_options(settings, studio.scheduler.capabilities, config, lexicon)
        return Speaker(
            patient or studio,
            settings,
            Frontend(options),
            timeline,
            listener,
            segment_ends=audio.segment_ends,
        )

    return open_speaker
