"""TLS by the host itself: the operator's certificate, and nothing older than TLS 1.2."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import HostError
from .secret_files import read_secrets

if TYPE_CHECKING:
    from .host_settings import HostSettings

ALPN_PROTOCOLS = ["http/1.1"]


def scheme_of(settings: HostSettings) -> str:
    """What the URL of a host with these settings begins with."""
    return "http" if settings.ssl_certfile is None else "https"


def tls_context(settings: HostSettings) -> ssl.SSLContext | None:
    """What a server ends TLS with; None: it is not to.

    HostError: a file cannot be read or is no PEM, the key is not that of the certificate, or its
    password is missing or wrong.
    """
    certificate, key = settings.ssl_certfile, settings.ssl_keyfile
    if certificate is None or key is None:
        return None

    for name, path in (("ssl_certfile", certificate), ("ssl_keyfile", key)):
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise HostError(
                f"{name}: {path} cannot be read ({error.strerror or error}): let this user read it, "
                "or name another file"
            ) from None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    try:
        context.load_cert_chain(certificate, key, _password(settings.ssl_keyfile_password_file))
    except (ssl.SSLError, OSError, ValueError) as error:
        raise HostError(_reason(error, certificate, key)) from None

    return context


def _password(path: str | None) -> str:
    # Without one an encrypted key is refused; OpenSSL would ask the terminal.
    return "" if path is None else read_secrets("ssl_keyfile_password_file", path)[0]


def _reason(error: Exception, certificate: str, key: str) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"ssl_keyfile: {key} is not the key of the certificate in {certificate}"

    if "DECRYPT" in reason or "PASSWORD" in reason or isinstance(error, ValueError):
        return f"ssl_keyfile: {key} needs another password: see ssl_keyfile_password_file"

    return (
        f"ssl_certfile, ssl_keyfile: {certificate} and {key} are not a certificate and its key as "
        f"PEM ({reason or error}); an encrypted key needs ssl_keyfile_password_file"
    )
