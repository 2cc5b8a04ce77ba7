"""Client certificates: by which a receiver knows us in the TLS handshake."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from core.secrets import Secret

PEM_MAX = 20_000  # characters, of the certificate with its chain, and of the key
CONTEXTS_KEPT = 100  # each has the list of authorities, some 800 KB


def certificate_error(certificate: str, key: str) -> str:
    """Return what is wrong with a certificate and its key, both PEM, or "" when they can be used."""
    if len(certificate) > PEM_MAX or len(key) > PEM_MAX:
        return f"A certificate with its chain, and its key, may have {PEM_MAX} characters each."
    try:
        first = x509.load_pem_x509_certificates(certificate.encode())[0]
    except (ValueError, IndexError):
        return "This is not a certificate in PEM. It begins with -----BEGIN CERTIFICATE-----."
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        return "This is not a private key in PEM, or it has a password. Give it without one."
    except Exception as error:  # what OpenSSL does not support has errors of its own
        return f"This private key cannot be used ({type(error).__name__})."
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != first.public_key().public_bytes(*form):
        return "The private key does not belong to the certificate."
    if first.not_valid_after_utc <= datetime.now(UTC):
        return f"The certificate ended on {first.not_valid_after_utc:%Y-%m-%d}."
    try:
        _context(certificate, key)
    except (ssl.SSLError, OSError):
        return "The certificate and its key cannot be used for TLS."
    return ""


def subject_of(certificate: str) -> tuple[str, datetime]:
    """Return a certificate's subject as text (RFC 4514) and the moment at which it ends."""
    first = x509.load_pem_x509_certificates(certificate.encode())[0]
    return first.subject.rfc4514_string(), first.not_valid_after_utc


@lru_cache(maxsize=CONTEXTS_KEPT)
def context_for(certificate: str, key: Secret) -> ssl.SSLContext:
    """Return the TLS context of a certificate; made once, as it takes some 20 ms. Raise Unreadable."""
    return _context(certificate, key.reveal())


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python reads both from files only: these are in memory, and nobody else's to open.
    with _in_memory(certificate) as certificate_path, _in_memory(key) as key_path:
        context.load_cert_chain(certificate_path, key_path)
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    descriptor = os.memfd_create("leadwire", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
