"""Qwen3-TTS (12 Hz): its own decode path on torch, many utterances at once, frame by frame.

Torch is imported here alone. Checkpoints are those of `qwen-tts`; the tests compare with its classes.
"""
