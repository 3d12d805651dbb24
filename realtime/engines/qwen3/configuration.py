"""What a checkpoint says of itself: `config.json`, `generation_config.json`, `speech_tokenizer/config.json`.

Names and defaults are those of the configuration classes of qwen-tts 0.1.1
(https://github.com/QwenLM/Qwen3-TTS); fields that change nothing about the sound are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from realtime.errors import EngineError

ModelKind = Literal["custom_voice", "base", "voice_design"]

_T = TypeVar("_T", bound=msgspec.Struct)

#: No file of settings is larger.
_MOST_BYTES = 16 * 1024 * 1024


class PredictorConfig(msgspec.Struct, frozen=True):
    """The small transformer that adds the codes 1 to 15 of a frame to its first."""

    vocab_size: int = 2048
    hidden_size: int = 1024
    intermediate_size: int = 3072
    num_hidden_layers: int = 5
    num_attention_heads: int = 16
    num_key_value_heads: int = 8
    head_dim: int = 128
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    attention_bias: bool = False


class TalkerConfig(msgspec.Struct, frozen=True):
    """The transformer that runs once a frame, and the ids of its vocabulary.

    `codec_language_id`: ids by name ("english"); names with "dialect" in them belong to speakers.
    `spk_id`: ids of speakers by name, lower case. `spk_is_dialect`: their dialect's name, or false.
    """

    vocab_size: int = 3072
    hidden_size: int = 1024
    intermediate_size: int = 2048
    num_hidden_layers: int = 20
    num_attention_heads: int = 16
    num_key_value_heads: int = 2
    head_dim: int | None = None
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    attention_bias: bool = False
    num_code_groups: int = 32
    text_hidden_size: int = 2048
    text_vocab_size: int = 151_936
    codec_eos_token_id: int = 4198
    codec_think_id: int = 4202
    codec_nothink_id: int = 4203
    codec_think_bos_id: int = 4204
    codec_think_eos_id: int = 4205
    codec_pad_id: int = 4196
    codec_bos_id: int = 4197
    spk_id: dict[str, int] | None = None
    spk_is_dialect: dict[str, str | bool] | None = None
    codec_language_id: dict[str, int] | None = None
    code_predictor_config: PredictorConfig = PredictorConfig()

    @property
    def size_of_head(self) -> int:
        """Numbers in one head of attention."""
        return self.head_dim or self.hidden_size // self.num_attention_heads


class SpeakerEncoderConfig(msgspec.Struct, frozen=True):
    """The ECAPA-TDNN of base models, which makes an embedding of a voice."""

    mel_dim: int = 128
    enc_dim: int = 1024
    enc_channels: tuple[int, ...] = (512, 512, 512, 512, 1536)
    enc_kernel_sizes: tuple[int, ...] = (5, 3, 3, 3, 1)
    enc_dilations: tuple[int, ...] = (1, 2, 3, 4, 1)
    enc_attention_channels: int = 128
    enc_res2net_scale: int = 8
    enc_se_channels: int = 128
    sample_rate: int = 24_000


class CodecDecoderConfig(msgspec.Struct, frozen=True):
    """The codec's way from codes to sound."""

    codebook_size: int = 2048
    codebook_dim: int = 512
    hidden_size: int = 1024
    latent_dim: int = 1024
    rope_theta: float = 10_000.0
    num_attention_heads: int = 16
    num_key_value_heads: int = 16
    head_dim: int | None = None
    attention_bias: bool = False
    sliding_window: int = 72
    intermediate_size: int = 3072
    rms_norm_eps: float = 1e-5
    num_hidden_layers: int = 8
    num_quantizers: int = 16
    upsample_rates: tuple[int, ...] = (8, 5, 4, 3)
    upsampling_ratios: tuple[int, ...] = (2, 2)
    decoder_dim: int = 1536


class CodecEncoderConfig(msgspec.Struct, frozen=True):
    """The codec's way from sound to codes: Mimi's encoder (names and defaults of `MimiConfig`)."""

    audio_channels: int = 1
    hidden_size: int = 512
    num_filters: int = 64
    num_residual_layers: int = 1
    upsampling_ratios: tuple[int, ...] = (8, 6, 5, 4)
    kernel_size: int = 7
    last_kernel_size: int = 3
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    use_causal_conv: bool = True
    pad_mode: str = "constant"
    compress: int = 2
    codebook_size: int = 2048
    codebook_dim: int = 256
    num_quantizers: int = 32
    use_conv_shortcut: bool = False
    vector_quantization_hidden_dimension: int = 256
    num_semantic_quantizers: int = 1
    num_hidden_layers: int = 8
    intermediate_size: int = 2048
    num_attention_heads: int = 8
    num_key_value_heads: int = 8
    head_dim: int | None = None
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    sliding_window: int = 250
    attention_bias: bool = False


class CodecConfig(msgspec.Struct, frozen=True):
    """The codec; `decode_upsample_rate` samples are one frame."""

    encoder_config: CodecEncoderConfig = CodecEncoderConfig()
    decoder_config: CodecDecoderConfig = CodecDecoderConfig()
    encoder_valid_num_quantizers: int = 16
    output_sample_rate: int = 24_000
    decode_upsample_rate: int = 1920
    encode_downsample_rate: int = 1920


class GenerationConfig(msgspec.Struct, frozen=True):
    """How codes are drawn: of the first code of a frame, and (`subtalker_`) of the others."""

    do_sample: bool = True
    top_k: int = 50
    top_p: float = 1.0
    temperature: float = 0.9
    repetition_penalty: float = 1.05
    subtalker_dosample: bool = True
    subtalker_top_k: int = 50
    subtalker_top_p: float = 1.0
    subtalker_temperature: float = 0.9
    max_new_tokens: int = 2048


class _Root(msgspec.Struct, frozen=True):
    tts_model_type: str
    tokenizer_type: str
    talker_config: TalkerConfig
    tts_model_size: str = ""
    speaker_encoder_config: SpeakerEncoderConfig = SpeakerEncoderConfig()
    tts_pad_token_id: int = 151_671
    tts_bos_token_id: int = 151_672
    tts_eos_token_id: int = 151_673


class ModelConfig(msgspec.Struct, frozen=True):
    """A checkpoint as a whole. `size` is "0b6" or "1b7"."""

    kind: ModelKind
    size: str
    talker: TalkerConfig
    codec: CodecConfig
    generation: GenerationConfig
    speaker_encoder: SpeakerEncoderConfig
    tts_pad: int
    tts_bos: int
    tts_eos: int

    @property
    def frame_samples(self) -> int:
        """Samples of one frame of codes."""
        return self.codec.decode_upsample_rate

    @property
    def frame_ms(self) -> float:
        """Milliseconds of sound in one frame of codes: 80."""
        return 1000 * self.frame_samples / self.codec.output_sample_rate

    @property
    def takes_instruct(self) -> bool:
        """Whether it heeds words about how to speak: the small models leave them out without a word."""
        return self.kind == "voice_design" or (
            self.kind == "custom_voice" and not self.size.startswith("0b6")
        )

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of its own voices; base and design models have none."""
        return tuple(sorted(self.talker.spk_id or ()))

    @property
    def languages(self) -> tuple[str, ...]:
        """Names of the languages it speaks, as "english"."""
        return tuple(name for name in self.talker.codec_language_id or () if "dialect" not in name)


def read_config(folder: Path) -> ModelConfig:
    """The settings of the checkpoint in `folder`; raises `EngineError` that says what is wrong with it."""
    root = _read(folder / "config.json", _Root)
    if root.tokenizer_type != "qwen3_tts_tokenizer_12hz":
        raise EngineError(
            f"the model in {folder} has the tokenizer {root.tokenizer_type!r}; only 12 Hz models can be used"
        )
    kinds: dict[str, ModelKind] = {
        "custom_voice": "custom_voice",
        "base": "base",
        "voice_design": "voice_design",
    }
    if root.tts_model_type not in kinds:
        raise EngineError(
            f"the model in {folder} is of kind {root.tts_model_type!r}; it must be one of {', '.join(kinds)}"
        )
    return ModelConfig(
        kind=kinds[root.tts_model_type],
        size=root.tts_model_size,
        talker=root.talker_config,
        codec=_read(folder / "speech_tokenizer" / "config.json", CodecConfig),
        generation=_read(folder / "generation_config.json", GenerationConfig),
        speaker_encoder=root.speaker_encoder_config,
        tts_pad=root.tts_pad_token_id,
        tts_bos=root.tts_bos_token_id,
        tts_eos=root.tts_eos_token_id,
    )


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise EngineError(f"{path} is not what a Qwen3-TTS model has there: {error}") from None
