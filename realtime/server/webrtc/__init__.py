"""WebRTC: the sound of a session as a track, and its messages on a data channel (aiortc)."""
