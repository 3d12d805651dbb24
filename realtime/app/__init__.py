"""The composition root: builds everything, listens, drains. The only room that may import anything.

`building` makes the parts by the settings, `serving` puts them together and runs them, `observing` says what
is logged.
"""

from realtime.app.building import FEATURES, make_engine, make_offer, text_options
from realtime.app.serving import Server, main, running, serve

__all__ = ["FEATURES", "Server", "main", "make_engine", "make_offer", "running", "serve", "text_options"]
