"""What Qwen3-TTS costs on this machine: `python -m bench.qwen3`; see `__main__`."""
