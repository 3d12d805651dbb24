"""Cloned voices: `POST /v1/voices`, `DELETE /v1/voices/{id}`, and `POST /v1/audio/clone`.

The rules:
1. Without the word of the client that the speaker has agreed, nothing is read from a recording.
2. All that a form says is checked before its recording is decoded. That is done in a thread, as is all work
   on the disk: the loop never waits.
3. A recording that came with a text is spoken with once and not kept, however the request ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from realtime.errors import ErrorCode, InvalidMessageError, QueueFullError, RealtimeError
from realtime.server.catalogue import Catalogue, primary_language
from realtime.server.multipart import Form, FormLimits, read_form
from realtime.server.speech import SpeechAnswers
from realtime.server.speech_request import Shape, SpeechOrder, SpeechRequest, SpeechRules, decode
from realtime.server.status import Handler, json_answer
from realtime.server.streaming import connected
from realtime.types import LANGUAGES, Voice, VoiceReference
from realtime.voices.clone import checked_language, checked_name, checked_text
from realtime.voices.recording import MOST_BYTES, Recording, read_recording
from realtime.voices.store import VoiceStore

_T = TypeVar("_T")

#: Recordings that may be on their way at the same time: each takes as much memory as its file has.
MAX_UPLOADS = 8
_RETRY_AFTER_MS = 1000
_YES = ("true", "yes", "1", "on")
#: Bytes that the fields of a form may have. The checks of what is in them are narrower.
VOICE_FIELDS = {"name": 1024, "ref_text": 16 * 1024, "language": 256, "consent": 64}
TEXT_FIELDS = {
    "input": 256 * 1024,
    "model": 1024,
    "instructions": 64 * 1024,
    "response_format": 64,
    "stream_format": 64,
    "language": 256,
    "timestamps": 64,
}
#: Fields whose values are written as in JSON: numbers, true and false, and the lexicon.
JSON_FIELDS = {
    "speed": 64,
    "stream": 64,
    "normalize": 64,
    "markup": 64,
    "seed": 64,
    "sample_rate": 64,
    "bitrate": 64,
    "cache": 64,
    "lexicon": 256 * 1024,
}
VOICE_FORM = FormLimits(VOICE_FIELDS, MOST_BYTES)
CLONE_FORM = FormLimits({"ref_text": 16 * 1024, "consent": 64} | TEXT_FIELDS | JSON_FIELDS, MOST_BYTES)
#: The voice of a recording that is not kept has a name only here.
_PASSING_VOICE = "recording"


class DeletedVoice(Struct, frozen=True):
    """The word that a voice is gone."""

    id: str
    deleted: bool = True


def engine_clones(loaded: Callable[[], bool], supported: Callable[[], bool]) -> Callable[[], bool]:
    """Whether the engine clones voices; raises `QueueFullError` until it is `loaded` and can be asked."""

    def clones() -> bool:
        if not loaded():
            raise QueueFullError("the voice is still being loaded; try again soon", _RETRY_AFTER_MS)
        return supported()

    return clones


class Uploads:
    """Reads forms with a recording, a few at a time."""

    def __init__(self, clones: Callable[[], bool], limit: int = MAX_UPLOADS) -> None:
        """`clones`: whether the engine can make use of them; `limit` forms may be on their way."""
        self._clones = clones
        self._limit = limit
        self._count = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a form and its file, for as long as the block runs. Raises `RealtimeError`."""
        if not self._clones():
            raise RealtimeError(
                "the engine that runs here cannot clone voices; start the server with one that can, or take "
                "one of the voices that GET /v1/voices lists",
                ErrorCode.UNSUPPORTED,
            )
        if self._count >= self._limit:
            raise QueueFullError(
                f"{self._limit} recordings are on their way, which is all this server takes; try again soon",
                _RETRY_AFTER_MS,
            )
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


@dataclass(frozen=True, slots=True)
class VoiceRoom:
    """What the handlers share: the voices, `workers` for what would block, and the forms under way.

    `forget` has the engine drop what it keeps of a recording, by its key.
    """

    catalogue: Catalogue
    workers: Executor
    uploads: Uploads
    forget: Callable[[str], None]
    wall_clock: Callable[[], float] = time.time

    @property
    def store(self) -> VoiceStore:
        """Where cloned voices are kept."""
        return self.catalogue.store

    async def work(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Do what would block the loop."""
        return await asyncio.get_running_loop().run_in_executor(self.workers, function, *arguments)

    async def refresh(self) -> None:
        """See what another server with the same folder has done."""
        await self.work(self.store.refresh)


def add_voice_handler(room: VoiceRoom) -> Handler:
    """`POST /v1/voices`: 201 with the new voice, or 200 when there was the same already."""

    async def handle(request: web.Request) -> web.StreamResponse:
        created = room.wall_clock()
        with room.uploads.place():
            form = await read_form(request, VOICE_FORM)
            _check_consent(form)
            name = checked_name(_needed(form, "name"))
            text = checked_text(form.fields.get("ref_text", ""))
            language = checked_language(_language(form))
            recording = await _recording(request, room, form)
            voice = await room.work(lambda: room.store.add(name, recording, text, language, created=created))
        status = 201 if voice.created == created else 200
        return json_answer(room.catalogue.of_clone(voice), status, {"Location": f"/v1/voices/{voice.id}"})

    return handle


def delete_voice_handler(room: VoiceRoom) -> Handler:
    """`DELETE /v1/voices/{id}`: a cloned voice and its recording are gone."""

    async def handle(request: web.Request) -> web.StreamResponse:
        voice = room.catalogue.find(request.match_info["id"])
        if voice.kind == "built-in":
            raise RealtimeError(
                f"voice {voice.id!r} is built in; only cloned voices can be deleted",
                ErrorCode.FORBIDDEN,
                "id",
            )
        stored = room.store.get(voice.id)
        if not await room.work(room.store.delete, voice.id):
            room.catalogue.find(voice.id)  # another request was faster; raises that there is none
        if stored is not None:
            room.forget(stored.sound)
        return json_answer(DeletedVoice(voice.id))

    return handle


def clone_handler(room: VoiceRoom, rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/clone`: a text is spoken in the voice of the recording that came with it."""

    async def receive(request: web.Request) -> tuple[SpeechOrder, AbstractContextManager[VoiceReference]]:
        with room.uploads.place():
            form = await read_form(request, CLONE_FORM)
            _check_consent(form)
            text = checked_text(form.fields.get("ref_text", ""))
            order = _order(rules, decode(_body(form)))
            return order, room.store.temporary(await _recording(request, room, form), text)

    async def handle(request: web.Request) -> web.StreamResponse:
        order, kept_for_now = await receive(request)
        async with in_thread(room, kept_for_now) as reference:
            # Nothing of it is kept, nor shared: the recording's file is there for this request alone.
            voice = replace(order.voice, reference=reference, cache=False)
            spoken = replace(order, voice=voice)
            return await answers.answer(request, spoken)

    return handle


async def _recording(request: web.Request, room: VoiceRoom, form: Form) -> Recording:
    """The recording in a form; not waited for when the client hangs up."""
    if form.file is None:
        raise InvalidMessageError(
            "the form has no `file`, which is needed: a recording of the voice (WAV, FLAC, MP3, Ogg or M4A)",
            param="file",
        )
    async with connected(request):
        return await room.work(read_recording, form.file)


@asynccontextmanager
async def in_thread(room: VoiceRoom, manager: AbstractContextManager[_T]) -> AsyncIterator[_T]:
    """A context manager that would block the loop. It is left if it was entered, also by who is cancelled."""
    loop = asyncio.get_running_loop()

    def leave() -> asyncio.Future[bool | None]:
        return loop.run_in_executor(room.workers, manager.__exit__, None, None, None)

    def entered_too_late(entering: asyncio.Future[_T]) -> None:
        if not entering.cancelled() and entering.exception() is None:
            leave()

    entering = loop.run_in_executor(room.workers, manager.__enter__)
    try:
        value = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(entered_too_late)
        raise
    try:
        yield value
    finally:
        await asyncio.shield(leave())


def _order(rules: SpeechRules, asked: SpeechRequest) -> SpeechOrder:
    """How a text is spoken in a voice that is not kept; its recording is not known yet."""
    voice = Voice(_PASSING_VOICE, LANGUAGES, rules.offer.engine, reference=VoiceReference("", ""))
    offer = replace(rules.offer, cloned_voice=lambda name: voice if name == _PASSING_VOICE else None)
    shape: Shape = "deltas" if asked.stream_format == "sse" else "audio"
    return replace(rules, offer=offer).order(msgspec.structs.replace(asked, voice=_PASSING_VOICE), shape)


def _body(form: Form) -> bytes:
    """The fields of a form that belong to the speech, as the JSON that `POST /v1/audio/speech` takes."""
    values = {
        name: _json_or_text(value) if name in JSON_FIELDS else value
        for name, value in form.fields.items()
        if name in JSON_FIELDS or name in TEXT_FIELDS
    }
    return msgspec.json.encode(values)


def _json_or_text(value: str) -> object:
    if value in ("True", "False"):
        return value == "True"  # what Python's own clients make of it
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value  # a wrong one: what reads it says what it must be
    return msgspec.Raw(value.encode())


def _check_consent(form: Form) -> None:
    if form.fields.get("consent", "").strip().lower() not in _YES:
        raise InvalidMessageError(
            "`consent` must be true: a voice may be cloned only when the person who speaks in the recording "
            "has agreed to it",
            param="consent",
        )


def _needed(form: Form, name: str) -> str:
    value = form.fields.get(name)
    if value is None:
        raise InvalidMessageError(f"the form has no field `{name}`, which is needed", param=name)
    return value


def _language(form: Form) -> str | None:
    wanted = form.fields.get("language", "").strip()
    return primary_language(wanted) if wanted else None
