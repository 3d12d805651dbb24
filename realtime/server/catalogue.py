"""What there is to choose from: `GET /v1/voices`, a sample of each voice, and `GET /v1/models`.

`/v1/audio/voices` and `/v1/audio/models` tell the same in the form that Open WebUI and others ask for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, TypeVar

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError
from realtime.server.speech import SpeechAnswers
from realtime.server.speech_request import SpeechRequest, SpeechRules
from realtime.server.status import Handler, json_answer
from realtime.server.streaming import NOT_STORED
from realtime.session.offer import Offer, shown
from realtime.types import LANGUAGES, Instruct, Voice
from realtime.voices.catalogue import SAMPLE_DESCRIPTION, SAMPLES
from realtime.voices.clone import CLONE_ID, StoredVoice
from realtime.voices.store import VoiceStore

_T = TypeVar("_T")

#: OpenAI's names. Clients name one of them because they must; all mean the engine that runs here.
OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
#: OpenAI's clients want to know when a model was made: the day on which the first of its own came out.
_MODEL_CREATED = 1_699_228_800
_OWNER = "realtime"
#: A language as BCP 47 writes it, of which the first part counts.
LANGUAGE_PATTERN = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,8}$"
_LANGUAGE = re.compile(LANGUAGE_PATTERN[1:-1])


class VoiceEntry(Struct, frozen=True):
    """A voice. `language` is its own, null when that is not known; it answers to its `aliases` too.

    `instruct`: whether it takes words about how to speak. `sample` is where it can be heard. `created`
    (seconds since 1970), `seconds` (the length of the recording) and `ref_text` (what is said in it) are
    those of a cloned voice.
    """

    id: str
    name: str
    kind: Literal["built-in", "cloned"]
    language: str | None
    languages: tuple[str, ...]
    engine: str
    aliases: tuple[str, ...]
    instruct: Instruct
    sample: str
    created: int | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    ref_text: str | UnsetType = UNSET
    object: Literal["voice"] = "voice"


class VoiceList(Struct, frozen=True):
    """All voices."""

    data: list[VoiceEntry]
    object: Literal["list"] = "list"


class AudioVoices(Struct, frozen=True):
    """The same, as Open WebUI and Kokoro-FastAPI have it."""

    voices: list[VoiceEntry]


class Model(Struct, frozen=True):
    """A model as OpenAI describes it; `created` in seconds since 1970."""

    id: str
    created: int = _MODEL_CREATED
    owned_by: str = _OWNER
    object: Literal["model"] = "model"


class ModelList(Struct, frozen=True):
    """All models."""

    data: list[Model]
    object: Literal["list"] = "list"


class AudioModel(Struct, frozen=True):
    """A model, as Open WebUI has it."""

    id: str
    name: str


class AudioModels(Struct, frozen=True):
    """All models, as Open WebUI has them."""

    models: list[AudioModel]


def model_names(engine: str) -> tuple[str, ...]:
    """All that `model` may be, our own name first."""
    return (engine, *OPENAI_MODELS)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The voices that can be spoken with: those of the engine, and the cloned ones.

    Of the cloned ones those in memory are listed; `refresh` looks for what another server with the same
    folder has added or deleted. `disk` has the threads in which all work on the disk is done.
    """

    offer: Offer
    store: VoiceStore
    disk: Executor

    def built_in(self) -> list[VoiceEntry]:
        """Those of the engine."""
        voices = {voice.id: voice for voice in self.offer.voices.values()}
        return [_built_in(voice) for voice in voices.values()]

    def cloned(self) -> list[VoiceEntry]:
        """Those that clients have made, the oldest first."""
        return [self.of_clone(voice) for voice in self.store.all()]

    async def work(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Do what blocks for as long as the disk needs."""
        return await asyncio.get_running_loop().run_in_executor(self.disk, function, *arguments)

    async def refresh(self) -> None:
        """See which cloned voices there are now."""
        await self.work(self.store.refresh)

    async def find(self, name: str) -> Voice | StoredVoice:
        """The voice that answers to a name, of the engine or cloned; raises `RealtimeError` NOT_FOUND.

        A name that stands for whichever voice speaks the language is one of the default voice here.
        """
        offer = self.offer
        voice = offer.default if offer.names_nobody(name) else offer.voices.get(name.lower())
        if voice is not None:
            return voice
        clone = await self.work(self.store.find, name) if CLONE_ID.fullmatch(name) else None
        if clone is not None:
            return clone
        raise no_voice(name)

    def entry(self, voice: Voice | StoredVoice) -> VoiceEntry:
        """What is told of a voice."""
        return self.of_clone(voice) if isinstance(voice, StoredVoice) else _built_in(voice)

    def of_clone(self, voice: StoredVoice) -> VoiceEntry:
        """What is told of a cloned voice."""
        own = () if voice.language is None else (voice.language,)
        return VoiceEntry(
            id=voice.id,
            name=voice.name,
            kind="cloned",
            language=voice.language,
            languages=tuple(dict.fromkeys((*own, *LANGUAGES))),
            engine=self.offer.engine,
            aliases=(),
            instruct="no",
            sample=_sample(voice.id),
            created=int(voice.created),
            seconds=round(voice.seconds, 3),
            ref_text=voice.text or UNSET,
        )


def no_voice(name: str) -> RealtimeError:
    """The error that there is none of this name."""
    return RealtimeError(
        f"there is no voice {shown(name)}; GET /v1/voices tells which there are", ErrorCode.NOT_FOUND, "id"
    )


def _built_in(voice: Voice) -> VoiceEntry:
    return VoiceEntry(
        id=voice.id,
        name=voice.id,
        kind="built-in",
        language=voice.languages[0],
        languages=voice.languages,
        engine=voice.engine,
        aliases=voice.aliases,
        instruct=voice.instruct,
        sample=_sample(voice.id),
    )


def _sample(voice_id: str) -> str:
    return f"/v1/voices/{voice_id}/sample"


def voices_handler(catalogue: Catalogue) -> Handler:
    """`GET /v1/voices`: all of them, or those that speak `?language=`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await catalogue.refresh()
        return json_answer(VoiceList(_asked_for(request, catalogue)))

    return handle


def audio_voices_handler(catalogue: Catalogue) -> Handler:
    """`GET /v1/audio/voices`: the same in another form."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await catalogue.refresh()
        return json_answer(AudioVoices(_asked_for(request, catalogue)))

    return handle


def _asked_for(request: web.Request, catalogue: Catalogue) -> list[VoiceEntry]:
    voices = [*catalogue.built_in(), *catalogue.cloned()]
    wanted = request.query.get("language")
    if wanted is None:
        return voices
    if not _LANGUAGE.fullmatch(wanted):
        raise InvalidMessageError(
            f"`language` must be a language as BCP 47 writes it, such as de or pt-BR, not {shown(wanted)}",
            param="language",
        )
    language = primary_language(wanted)
    return [voice for voice in voices if language in voice.languages]


def primary_language(language: str) -> str:
    """The language without country and script: de of de-AT."""
    return language.replace("_", "-").split("-")[0].lower()


def voice_handler(catalogue: Catalogue) -> Handler:
    """`GET /v1/voices/{id}`: one of them."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return json_answer(catalogue.entry(await catalogue.find(request.match_info["id"])))

    return handle


def sample_handler(
    catalogue: Catalogue,
    rules: SpeechRules,
    answers: SpeechAnswers,
    clones: Callable[[], bool],
) -> Handler:
    """`GET /v1/voices/{id}/sample`: a sentence in the voice's own language, spoken as any other.

    Where `clones` says that the engine cannot clone, that of a cloned voice is its recording.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        found = await catalogue.find(request.match_info["id"])
        if isinstance(found, StoredVoice) and not clones():
            sound = await catalogue.work(catalogue.store.sound, found)
            return web.Response(body=sound, content_type="audio/flac", headers={"Cache-Control": "no-store"})
        voice = catalogue.entry(found)
        if request.method == "HEAD":  # nobody would hear it
            return web.StreamResponse(headers={**NOT_STORED, "Content-Type": "audio/mpeg"})
        language = voice.language or LANGUAGES[0]
        request_for_it = SpeechRequest(
            input=SAMPLES[language],
            voice=voice.id,
            language=language,
            instructions=SAMPLE_DESCRIPTION if voice.instruct == "required" else None,
        )
        return await answers.answer(request, rules.order(request_for_it, "audio"))

    return handle


def models_handler(names: tuple[str, ...]) -> Handler:
    """`GET /v1/models`, as OpenAI's."""
    models = ModelList([Model(name) for name in names])

    async def handle(request: web.Request) -> web.StreamResponse:
        return json_answer(models)

    return handle


def model_handler(names: tuple[str, ...]) -> Handler:
    """`GET /v1/models/{id}`, as OpenAI's."""

    async def handle(request: web.Request) -> web.StreamResponse:
        name = request.match_info["id"]
        if name not in names:
            raise RealtimeError(
                f"there is no model {shown(name)}; there are: {', '.join(names)}", ErrorCode.NOT_FOUND, "id"
            )
        return json_answer(Model(name))

    return handle


def audio_models_handler(names: tuple[str, ...]) -> Handler:
    """`GET /v1/audio/models`: the same in another form."""
    models = AudioModels([AudioModel(name, name) for name in names])

    async def handle(request: web.Request) -> web.StreamResponse:
        return json_answer(models)

    return handle
