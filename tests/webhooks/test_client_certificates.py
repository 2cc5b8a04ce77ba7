"""A webhook that shows a certificate of its own: to a TLS server that shuts without one."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.waiting import wait_for
from webhooks.models import Subscription

pytestmark = pytest.mark.django_db(transaction=True)


def certificate(name: str, issuer=None, issuer_key=None):
    """Return (certificate, key) for TLS on 127.0.0.1; signed by itself without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return built, key


def pem(one) -> str:
    if isinstance(one, x509.Certificate):
        return one.public_bytes(Encoding.PEM).decode()
    return one.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def strict_server(tmp_path, monkeypatch):
    """An HTTPS server that wants a client certificate of its own authority; yields (url, seen, client pair)."""
    authority, authority_key = certificate("Test authority")
    server_pair = certificate("127.0.0.1", authority, authority_key)
    client = certificate("leadwire", authority, authority_key)
    (tmp_path / "ca.pem").write_text(pem(authority))
    (tmp_path / "server.pem").write_text(pem(server_pair[0]) + pem(server_pair[1]))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            subject = dict(pair[0] for pair in self.connection.getpeercert()["subject"])
            seen.append(subject["commonName"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/hook", seen, client
    server.shutdown()
    server.server_close()


def test_a_client_certificate_opens_a_door_that_is_shut_without(
    worker, strict_server, subscribe, api, key, plumbing, lead_at, dana_client
):
    url, seen, (cert, private) = strict_server
    webhook = subscribe(url)
    api.post(f"webhooks/{webhook['id']}/test", key)
    wait_for(lambda: (Subscription.objects.get().last_check or {}).get("ok") is False)
    assert seen == []
    pair = {"certificate": pem(cert), "key": pem(private)}
    changed = api.call("PATCH", f"webhooks/{webhook['id']}", key, {"client_certificate": pair}).json()["data"][
        "webhook"
    ]
    assert changed["client_certificate"]["subject"] == "CN=leadwire"
    assert "PRIVATE KEY" not in json.dumps(changed)
    assert "PRIVATE KEY" not in dana_client.get(f"/settings/webhooks/{webhook['id']}/edit/").content.decode()
    lead_at(plumbing)
    wait_for(lambda: seen == ["leadwire"])


def test_a_certificate_with_another_ones_key_is_refused(api, key, subscribe):
    webhook = subscribe("https://crm.example.com/h")
    (cert, _), (_, other) = certificate("one"), certificate("two")
    body = {"client_certificate": {"certificate": pem(cert), "key": pem(other)}}
    refused = api.call("PATCH", f"webhooks/{webhook['id']}", key, body)
    assert refused.status_code == 400
    assert "does not belong" in refused.json()["errors"][0]["detail"]
