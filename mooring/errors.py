"""What a plugin raises to turn a member down."""

from __future__ import annotations


class CommandError(Exception):
    """Raised by a handler to refuse: its text is shown to the member, and nothing that the event had changed is kept.

    Everything else that a handler raises is a fault of the plugin: the member sees a reference number, the log the traceback.
    """


class PluginError(Exception):
    """A plugin is not made as it must be; the text says which one, what is wrong and what would be right."""
