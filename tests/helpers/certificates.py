"""Certificates of an authority that only a test knows, as an operator has them: in files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Certificates:
    """`settings`: of a host on 127.0.0.1. `client`: what trusts the authority."""

    settings: dict[str, Any]
    client: ssl.SSLContext


def make_certificates(directory: Path, name: str = "127.0.0.1") -> Certificates:
    """A certificate for `name` in `directory`, and what trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert(name)
    directory.mkdir(parents=True, exist_ok=True)
    chain, key = directory / "chain.pem", directory / "key.pem"
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(chain, append=number > 0)
    certificate.private_key_pem.write_to_path(key)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates({"ssl_certfile": str(chain), "ssl_keyfile": str(key)}, client)


def lock_key(certificates: Certificates, password: str) -> None:
    """Encrypt the private key."""
    path = Path(certificates.settings["ssl_keyfile"])
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            BestAvailableEncryption(password.encode()),
        )
    )
