"""A certificate authority that no system trusts, and a server with its certificate."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")


def authority(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """Return the file of the authority, and the TLS context of a server with this name."""
    assert OPENSSL is not None
    key, certificate = folder / "tls.key", folder / "ca.pem"
    names = f"subjectAltName={name}"
    use = "keyUsage=critical,digitalSignature,keyCertSign"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [OPENSSL, "req", "-x509", *made, *files, "-subj", "/CN=Our own"]
    subprocess.run(
        [*command, "-addext", names, "-addext", use], check=True, capture_output=True, timeout=30
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
