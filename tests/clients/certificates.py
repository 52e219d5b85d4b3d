"""Certificates for tests of TLS, made when they run by the openssl command."""

import shutil
import subprocess


def openssl(*words, given=None):
    return subprocess.run(["openssl", *map(str, words)], input=given, check=True, capture_output=True, timeout=60).stdout


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.file = self.make(name, "-x509", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")[0]
        self.signer = ["-CA", self.file, "-CAkey", folder / f"{name}.key"]

    def sign(self, name):
        """The files of a certificate for this machine, and of its key."""
        return self.make(name, "-x509", *self.signer, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")

    def sign_expired(self, name):
        """The same, for a certificate that is not valid any more."""
        request, key = self.make(name, "-new", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, *self.signer, "-days", "0", "-out", request)
        return request, key

    def make(self, name, *options):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *(["-days", "2"] if "-x509" in options else [])]
        openssl("req", *kind, "-out", certificate, "-keyout", key, *options)
        key.chmod(0o600)
        return str(certificate), str(key)


def put(files, folder):
    """Both files, by renames."""
    for source, name in zip(files, ("server.pem", "server.key")):
        shutil.copy(source, folder / "next")
        (folder / "next").chmod(0o600)
        (folder / "next").rename(folder / name)
