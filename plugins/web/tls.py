"""The page's certificate, with faults that name its files."""

from __future__ import annotations

import ssl
from pathlib import Path

from mooring import PluginError


def server_context(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    """Raises PluginError if there is no such pair of files, or it cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for field, file in (("certfile", certfile), ("keyfile", keyfile)):
        try:
            if file is not None:
                file.open("rb").close()
        except OSError as error:
            raise PluginError(f"the {field} {file} cannot be read: {error.strerror}; name a file that this user may read") from error
    try:
        # Without an answer OpenSSL would ask the terminal for the password of a key.
        context.load_cert_chain(certfile, keyfile, password="")
    except ssl.SSLError as error:
        shown = certfile if keyfile is None else f"{certfile} with {keyfile}"
        reason = error.reason or "it holds no certificate in PEM form, or a key with a password"
        raise PluginError(f"the certificate {shown} cannot be used: {reason}") from error
    return context
