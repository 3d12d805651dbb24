"""The models that are measured: the published sizes with random weights, a tiny one, or a checkpoint.

Time does not depend on what the weights say. Random ones are made on the device as they are asked for, keep
the size of what they are given, and never draw the end of a text: so a sequence is as long as is asked for.
The same is done to a checkpoint's.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from msgspec.structs import replace
from torch import Tensor

from realtime.engines.qwen3.configuration import (
    CodecConfig,
    CodecDecoderConfig,
    GenerationConfig,
    ModelConfig,
    PredictorConfig,
    SpeakerEncoderConfig,
    TalkerConfig,
    read_config,
)

Shape = tuple[int, ...]
#: Its rows are the scores of a frame's first code.
HEAD = "talker.codec_head.weight"

_TALKER = TalkerConfig(
    vocab_size=3072,
    hidden_size=1024,
    intermediate_size=3072,
    num_hidden_layers=28,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    rope_theta=1_000_000.0,
    num_code_groups=16,
    text_hidden_size=2048,
    text_vocab_size=151_936,
    codec_eos_token_id=2150,
    codec_think_id=2154,
    codec_nothink_id=2155,
    codec_think_bos_id=2156,
    codec_think_eos_id=2157,
    codec_pad_id=2148,
    codec_bos_id=2149,
    spk_id={"ryan": 3061},
    codec_language_id={"english": 2050},
    code_predictor_config=PredictorConfig(rope_theta=1_000_000.0),
)
_CODEC = CodecConfig(
    decoder_config=CodecDecoderConfig(hidden_size=512, intermediate_size=1024, head_dim=64),
)


def _model(size: str, talker: TalkerConfig, codec: CodecConfig, text: int = 151_671) -> ModelConfig:
    generation, encoder = GenerationConfig(), SpeakerEncoderConfig()
    return ModelConfig("custom_voice", size, talker, codec, generation, encoder, text, text + 1, text + 2)


#: As `config.json` and `speech_tokenizer/config.json` of Qwen/Qwen3-TTS-12Hz-{0.6B,1.7B}-CustomVoice have it.
PUBLISHED: Mapping[str, ModelConfig] = {
    "0.6B": _model("0b6", _TALKER, _CODEC),
    "1.7B": _model("1b7", replace(_TALKER, hidden_size=2048, intermediate_size=6144), _CODEC),
}
#: Of the same form, for machines without a GPU.
TINY = _model(
    "1b7",
    replace(
        _TALKER,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        text_hidden_size=32,
        text_vocab_size=512,
        code_predictor_config=PredictorConfig(
            hidden_size=32,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            rope_theta=1_000_000.0,
        ),
    ),
    CodecConfig(
        decoder_config=CodecDecoderConfig(
            codebook_dim=32,
            hidden_size=32,
            latent_dim=32,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
            intermediate_size=64,
            num_hidden_layers=2,
            decoder_dim=64,
        )
    ),
    text=500,
)


def shallow(config: ModelConfig) -> ModelConfig:
    """As wide, but with few layers and a small vocabulary of text: for checks in float32."""
    predictor = replace(config.talker.code_predictor_config, num_hidden_layers=2)
    text = min(config.talker.text_vocab_size, 512)
    talker = replace(
        config.talker, num_hidden_layers=4, text_vocab_size=text, code_predictor_config=predictor
    )
    return replace(config, talker=talker, tts_pad=500, tts_bos=501, tts_eos=502)


def talker_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Of the weights in `model.safetensors` that a talker and its predictor need."""
    talker, predictor = config.talker, config.talker.code_predictor_config
    hidden, width, text = talker.hidden_size, predictor.hidden_size, talker.text_hidden_size
    shapes: dict[str, Shape] = {
        "talker.model.text_embedding.weight": (talker.text_vocab_size, text),
        "talker.text_projection.linear_fc1.weight": (text, text),
        "talker.text_projection.linear_fc1.bias": (text,),
        "talker.text_projection.linear_fc2.weight": (hidden, text),
        "talker.text_projection.linear_fc2.bias": (hidden,),
        "talker.model.codec_embedding.weight": (talker.vocab_size, hidden),
        HEAD: (talker.vocab_size, hidden),
    }
    shapes |= _layers("talker.model.", talker, talker.size_of_head)
    at = "talker.code_predictor."
    shapes |= _layers(f"{at}model.", predictor, predictor.head_dim)
    for group in range(talker.num_code_groups - 1):
        shapes[f"{at}model.codec_embedding.{group}.weight"] = (predictor.vocab_size, hidden)
        shapes[f"{at}lm_head.{group}.weight"] = (predictor.vocab_size, width)
    if hidden != width:
        shapes[f"{at}small_to_mtp_projection.weight"] = (width, hidden)
        shapes[f"{at}small_to_mtp_projection.bias"] = (width,)
    return shapes


def _layers(at: str, config: TalkerConfig | PredictorConfig, head: int) -> dict[str, Shape]:
    hidden, inner = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes: dict[str, Shape] = {f"{at}norm.weight": (hidden,)}
    for layer in range(config.num_hidden_layers):
        shapes |= {
            f"{at}layers.{layer}.{name}.weight": shape
            for name, shape in {
                "input_layernorm": (hidden,),
                "post_attention_layernorm": (hidden,),
                "self_attn.q_proj": (queries, hidden),
                "self_attn.k_proj": (keys, hidden),
                "self_attn.v_proj": (keys, hidden),
                "self_attn.o_proj": (hidden, queries),
                "self_attn.q_norm": (head,),
                "self_attn.k_norm": (head,),
                "mlp.gate_proj": (inner, hidden),
                "mlp.up_proj": (inner, hidden),
                "mlp.down_proj": (hidden, inner),
            }.items()
        }
    return shapes


def codec_shapes(config: CodecConfig) -> dict[str, Shape]:
    """Of the weights in `speech_tokenizer/model.safetensors` that turn codes to sound."""
    codec = config.decoder_config
    hidden, latent, book, inner = (
        codec.hidden_size,
        codec.latent_dim,
        codec.codebook_dim,
        codec.intermediate_size,
    )
    head = codec.head_dim or hidden // codec.num_attention_heads
    queries, keys = codec.num_attention_heads * head, codec.num_key_value_heads * head
    shapes: dict[str, Shape] = {}
    for part, count in (("rvq_first", 1), ("rvq_rest", codec.num_quantizers - 1)):
        shapes[f"quantizer.{part}.output_proj.weight"] = (book, book // 2, 1)
        for layer in range(count):
            at = f"quantizer.{part}.vq.layers.{layer}._codebook."
            shapes[f"{at}cluster_usage"] = (codec.codebook_size,)
            shapes[f"{at}embedding_sum"] = (codec.codebook_size, book // 2)
    shapes |= _conv("pre_conv.conv", latent, book, 3)
    at = "pre_transformer."
    for name, outputs, inputs in (("input", hidden, latent), ("output", latent, hidden)):
        shapes |= {f"{at}{name}_proj.weight": (outputs, inputs), f"{at}{name}_proj.bias": (outputs,)}
    shapes[f"{at}norm.weight"] = (hidden,)
    for layer in range(codec.num_hidden_layers):
        shapes |= {
            f"{at}layers.{layer}.{name}": shape
            for name, shape in {
                "self_attn.q_proj.weight": (queries, hidden),
                "self_attn.k_proj.weight": (keys, hidden),
                "self_attn.v_proj.weight": (keys, hidden),
                "self_attn.o_proj.weight": (hidden, queries),
                "self_attn_layer_scale.scale": (hidden,),
                "mlp_layer_scale.scale": (hidden,),
                "input_layernorm.weight": (hidden,),
                "post_attention_layernorm.weight": (hidden,),
                "mlp.gate_proj.weight": (inner, hidden),
                "mlp.up_proj.weight": (inner, hidden),
                "mlp.down_proj.weight": (hidden, inner),
            }.items()
        }
    for index, factor in enumerate(codec.upsampling_ratios):
        at = f"upsample.{index}."
        shapes |= {f"{at}0.conv.weight": (latent, latent, factor), f"{at}0.conv.bias": (latent,)}
        shapes |= _conv(f"{at}1.dwconv.conv", latent, 1, 7)
        shapes |= {f"{at}1.norm.weight": (latent,), f"{at}1.norm.bias": (latent,), f"{at}1.gamma": (latent,)}
        for name, outputs, inputs in (("pwconv1", 4 * latent, latent), ("pwconv2", latent, 4 * latent)):
            shapes |= {f"{at}1.{name}.weight": (outputs, inputs), f"{at}1.{name}.bias": (outputs,)}
    shapes |= _sound_shapes(codec)
    return {f"decoder.{name}": shape for name, shape in shapes.items()}


def _sound_shapes(codec: CodecDecoderConfig) -> dict[str, Shape]:
    """Of what makes samples of features."""
    channels = codec.decoder_dim
    shapes = _conv("decoder.0.conv", channels, codec.latent_dim, 7)
    for index, factor in enumerate(codec.upsample_rates, 1):
        at, half = f"decoder.{index}.block.", channels // 2
        shapes |= {f"{at}0.alpha": (channels,), f"{at}0.beta": (channels,)}
        shapes |= {f"{at}1.conv.weight": (channels, half, 2 * factor), f"{at}1.conv.bias": (half,)}
        for unit in range(2, 5):
            for snake in ("act1", "act2"):
                shapes |= {f"{at}{unit}.{snake}.{name}": (half,) for name in ("alpha", "beta")}
            shapes |= _conv(f"{at}{unit}.conv1.conv", half, half, 7)
            shapes |= _conv(f"{at}{unit}.conv2.conv", half, half, 1)
        channels = half
    last = len(codec.upsample_rates) + 1
    shapes |= {f"decoder.{last}.{name}": (channels,) for name in ("alpha", "beta")}
    return shapes | _conv(f"decoder.{last + 1}.conv", 1, channels, 7)


def _conv(at: str, outputs: int, inputs: int, taps: int) -> dict[str, Shape]:
    return {f"{at}.weight": (outputs, inputs, taps), f"{at}.bias": (outputs,)}


class RandomWeights(Mapping[str, Tensor]):
    """Tensors of these shapes, each made when it is asked for; by its name always the same."""

    def __init__(self, shapes: Mapping[str, Shape], device: torch.device, dtype: torch.dtype) -> None:
        self._shapes, self._device, self._dtype = shapes, device, dtype

    def __len__(self) -> int:
        return len(self._shapes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __contains__(self, name: object) -> bool:
        return name in self._shapes

    def __getitem__(self, name: str) -> Tensor:
        shape = self._shapes[name]
        if (value := constant(name, shape)) is not None:
            return torch.full(shape, value, device=self._device, dtype=self._dtype)
        generator = torch.Generator(self._device).manual_seed(zlib.crc32(name.encode()))
        normal = torch.randn(shape, generator=generator, device=self._device, dtype=self._dtype)
        return normal.mul_(scale(name, shape))


def constant(name: str, shape: Shape) -> float | None:
    """What all numbers of a weight are; None: they are random."""
    last = name.rsplit(".", 1)[-1]
    if last == "cluster_usage" or (len(shape) == 1 and last == "weight"):
        return 1.0
    if last in ("alpha", "beta"):  # logarithms
        return 0.0
    return 0.5 if last in ("scale", "gamma") else None


def scale(name: str, shape: Shape) -> float:
    """The deviation of a random weight."""
    if name.endswith(".bias"):
        return 0.1
    if "embedding" in name:
        return 0.5
    scale = 1 / math.sqrt(math.prod(shape[1:]))
    if name == HEAD or ".lm_head." in name:
        return 3 * scale  # so that codes differ in how likely they are
    if name.startswith("decoder.decoder."):
        # So that the sound is neither silent nor clipped, and errors do not grow from block to block.
        return scale * (0.4 if shape[0] == 1 else 0.25 if ".conv2." in name else 0.7)
    return scale


class WithoutEnd(Mapping[str, Tensor]):
    """Weights of a talker whose end is never drawn: its score is 0, which never is among the first fifty."""

    def __init__(self, weights: Mapping[str, Tensor], config: ModelConfig) -> None:
        self._weights, self._end = weights, config.talker.codec_eos_token_id

    def __len__(self) -> int:
        return len(self._weights)

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __contains__(self, name: object) -> bool:
        return name in self._weights

    def __getitem__(self, name: str) -> Tensor:
        weight = self._weights[name]
        if name == HEAD:
            weight = weight.clone()
            weight[self._end] = 0.0
        return weight


def read_checkpoint(
    folder: Path, device: torch.device
) -> tuple[ModelConfig, Mapping[str, Tensor], Mapping[str, Tensor]]:
    """A checkpoint's settings, and its weights: of the talker, of the codec. Raises `EngineError`."""
    from safetensors.torch import load_file  # only who has a checkpoint needs it

    def read(path: Path) -> dict[str, Tensor]:
        parts = sorted(path.glob("*.safetensors"))
        return {name: each for part in parts for name, each in load_file(part, device=str(device)).items()}

    return read_config(folder), read(folder), read(folder / "speech_tokenizer")


def frame_bytes(config: ModelConfig, itemsize: int) -> tuple[int, int]:
    """What one frame reads at least: bytes of weights, whatever the batch; of KV for each position of a row.

    All layers of the talker and its head once; those of the predictor and one of its heads fifteen times.
    """
    talker, predictor = config.talker, config.talker.code_predictor_config
    passes = talker.num_code_groups - 1
    weights = _layers_size("talker.model.", talker, talker.size_of_head)
    weights += talker.vocab_size * talker.hidden_size
    if talker.hidden_size != predictor.hidden_size:
        weights += talker.hidden_size * predictor.hidden_size  # what it hands to the predictor
    small = _layers_size("", predictor, predictor.head_dim) + predictor.vocab_size * predictor.hidden_size
    kv = 2 * talker.num_hidden_layers * talker.num_key_value_heads * talker.size_of_head
    return (weights + passes * small) * itemsize, kv * itemsize


def _layers_size(at: str, config: TalkerConfig | PredictorConfig, head: int) -> int:
    return sum(math.prod(shape) for shape in _layers(at, config, head).values())
