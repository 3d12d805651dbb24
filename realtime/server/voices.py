"""Cloned voices: `POST /v1/voices`, `DELETE /v1/voices/{id}`, and `POST /v1/audio/clone`.

The rules:
1. Without the word of the client that the speaker has agreed, nothing is read from a recording.
2. All that a form says is checked before its recording is decoded. That is done in a thread, as is all work
   on the disk, in others: the loop never waits, and the disk waits for no decoding.
3. A recording is in memory only while it holds one of a few places, also when its client is gone.
4. A recording that came with a text is spoken with once and not kept, however the request ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from realtime.clock import WallClock
from realtime.errors import ErrorCode, InvalidMessageError, QueueFullError, RealtimeError
from realtime.server.catalogue import Catalogue, no_voice, primary_language
from realtime.server.multipart import Form, FormLimits, read_form
from realtime.server.speech import SpeechAnswers
from realtime.server.speech_request import Shape, SpeechOrder, SpeechRequest, SpeechRules, decode
from realtime.server.status import Handler, json_answer
from realtime.server.streaming import connected
from realtime.types import LANGUAGES, Voice, VoiceReference
from realtime.voices.clone import StoredVoice, checked_language, checked_name, checked_text
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
CLONE_FIELDS = {"ref_text": 16 * 1024, "consent": 64} | TEXT_FIELDS | JSON_FIELDS
#: The voice of a recording that is not kept has a name only here.
_PASSING_VOICE = "recording"


class DeletedVoice(Struct, frozen=True):
    """The word that a voice is gone."""

    id: str
    deleted: bool = True


def engine_clones(check_loaded: Callable[[], None], supported: Callable[[], bool]) -> Callable[[], bool]:
    """Whether the engine clones voices; raises `LoadingError` until it is loaded and can be asked."""

    def clones() -> bool:
        check_loaded()
        return supported()

    return clones


class Place:
    """A place for a form and its file."""

    def __init__(self) -> None:
        self._decoding: Future[Recording] | None = None

    async def decode(self, data: list[bytes], decoders: Executor) -> Recording:
        """The recording in a file, the one that `data` holds, and that is taken out of it.

        Raises `RealtimeError`. Who is cancelled does not wait; but what a thread has begun it will end, and
        until then the place is taken.
        """
        self._decoding = decoders.submit(lambda: read_recording(data.pop()))
        try:
            return await asyncio.wrap_future(self._decoding)
        finally:
            data.clear()  # what has not begun never will, and waits there without its file

    def when_free(self, free: Callable[[], None]) -> None:
        """Calls `free`, in any thread, when nothing is decoded: now or later."""
        if self._decoding is None:
            free()
        else:
            self._decoding.add_done_callback(lambda _: free())


class Uploads:
    """Reads forms with a recording, a few at a time."""

    def __init__(self, clones: Callable[[], bool], limit: int = MAX_UPLOADS) -> None:
        """`clones`: whether the engine can make use of them; `limit` recordings may be in memory."""
        self._clones = clones
        self._limit = limit
        self._places = threading.BoundedSemaphore(limit)

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for as long as the block runs, and until its file is decoded. Raises `RealtimeError`."""
        if not self._clones():
            raise RealtimeError(
                "the engine that runs here cannot clone voices; start the server with one that can, or take "
                "one of the voices that GET /v1/voices lists",
                ErrorCode.UNSUPPORTED,
            )
        if not self._places.acquire(blocking=False):
            raise QueueFullError(
                f"{self._limit} recordings are on their way, which is all this server takes; try again soon",
                _RETRY_AFTER_MS,
            )
        place = Place()
        try:
            yield place
        finally:
            place.when_free(self._places.release)


@dataclass(frozen=True, slots=True)
class VoiceRoom:
    """What the handlers share: the voices, `decoders` for recordings, and the forms under way.

    `forget` has the engine drop what it keeps of a recording, by its key; `check_room` raises `RealtimeError`
    when nothing more can be spoken.
    """

    catalogue: Catalogue
    decoders: Executor
    uploads: Uploads
    forget: Callable[[str], Awaitable[None]]
    check_room: Callable[[], None]
    wall_clock: WallClock

    @property
    def store(self) -> VoiceStore:
        """Where cloned voices are kept."""
        return self.catalogue.store


def add_voice_handler(room: VoiceRoom) -> Handler:
    """`POST /v1/voices`: 201 with the new voice, or 200 when there was the same already."""

    async def handle(request: web.Request) -> web.StreamResponse:
        created = room.wall_clock.now()
        with room.uploads.place() as place:
            form = await read_form(request, VOICE_FORM)
            _check_consent(form)
            name = checked_name(_needed(form, "name"))
            text = checked_text(form.fields.get("ref_text", ""))
            language = checked_language(_language(form))
            recording = await _recording(request, room, place, form)
            voice, is_new = await room.catalogue.work(
                lambda: room.store.add(name, recording, text, language, created=created)
            )
        headers = {"Location": f"/v1/voices/{voice.id}"}
        return json_answer(room.catalogue.entry(voice), 201 if is_new else 200, headers)

    return handle


def delete_voice_handler(room: VoiceRoom) -> Handler:
    """`DELETE /v1/voices/{id}`: a cloned voice and its recording are gone."""

    async def handle(request: web.Request) -> web.StreamResponse:
        voice = await room.catalogue.find(request.match_info["id"])
        if not isinstance(voice, StoredVoice):
            raise RealtimeError(
                f"voice {voice.id!r} is built in; only cloned voices can be deleted",
                ErrorCode.FORBIDDEN,
                "id",
            )
        deleted = await room.catalogue.work(room.store.delete, voice.id)
        await room.forget(voice.sound)
        if not deleted:
            raise no_voice(voice.id)  # another request was faster
        return json_answer(DeletedVoice(voice.id))

    return handle


def clone_handler(room: VoiceRoom, rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/clone`: a text is spoken in the voice of the recording that came with it."""

    most_text = max(CLONE_FIELDS["input"], rules.offer.limits.text_bytes_per_context)
    limits = FormLimits(CLONE_FIELDS | {"input": most_text}, MOST_BYTES)

    async def receive(request: web.Request) -> tuple[SpeechOrder, AbstractContextManager[VoiceReference]]:
        room.check_room()
        with room.uploads.place() as place:
            form = await read_form(request, limits)
            _check_consent(form)
            text = checked_text(form.fields.get("ref_text", ""))
            order = _order(rules, decode(_body(form)))
            room.check_room()  # it may have taken a while
            return order, room.store.temporary(await _recording(request, room, place, form), text)

    async def handle(request: web.Request) -> web.StreamResponse:
        order, kept_for_now = await receive(request)
        async with in_thread(room.catalogue.disk, kept_for_now) as reference:
            # Nothing of it is kept, nor shared: the recording's file is there for this request alone.
            voice = replace(order.voice, reference=reference, cache=False)
            spoken = replace(order, voice=voice)
            return await answers.answer(request, spoken)

    return handle


async def _recording(request: web.Request, room: VoiceRoom, place: Place, form: Form) -> Recording:
    """The recording in a form; not waited for when the client hangs up."""
    if form.file is None:
        raise InvalidMessageError(
            "the form has no `file`, which is needed: a recording of the voice (WAV, FLAC, MP3, Ogg or M4A)",
            param="file",
        )
    async with connected(request):
        return await place.decode([form.file], room.decoders)


@asynccontextmanager
async def in_thread(workers: Executor, manager: AbstractContextManager[_T]) -> AsyncIterator[_T]:
    """A context manager that would block the loop. It is left if it was entered, also by who is cancelled."""
    loop = asyncio.get_running_loop()

    def leave() -> asyncio.Future[bool | None]:
        return loop.run_in_executor(workers, manager.__exit__, None, None, None)

    def entered_too_late(entering: asyncio.Future[_T]) -> None:
        if not entering.cancelled() and entering.exception() is None:
            leave()

    entering = loop.run_in_executor(workers, manager.__enter__)
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
