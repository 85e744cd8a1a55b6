"""Makes certificates with the openssl command: good ones, and one for each thing that can be wrong.

    certificates.py FOLDER [NAME...]

writes all of them, or those that are named, into FOLDER, over one key: key.pem. `ca.pem` has issued those that do
not say otherwise.
"""

import pathlib
import subprocess
import sys

CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index.txt
default_md = sha256
rand_serial = yes
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = optional
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
LOCAL = "DNS:localhost,DNS:*.wild.example,IP:127.0.0.1,IP:::1"
YEARS = ("20200101000000Z", "20990101000000Z")
# "localhost", a NUL, ".evil.example": a name of 24 bytes in a sequence
NUL = "DER:" + (b"\x30\x18\x82\x16" + b"localhost\0evil.example").hex(":")
# name: its subjectAltName (None: it has none), who issues it, from when to when it is valid
LEAVES = {
    "server": (LOCAL, "ca", YEARS),
    "client": ("email:ada@client.example", "ca", YEARS),
    "other_name": ("DNS:other.example,DNS:www.other.example", "ca", YEARS),
    "name_like_ip": ("DNS:127.0.0.1", "ca", YEARS),
    "nul_in_name": (NUL, "ca", YEARS),
    "no_names": (None, "ca", YEARS),
    "expired": (LOCAL, "ca", ("20200101000000Z", "20200201000000Z")),
    "not_yet": (LOCAL, "ca", ("20980101000000Z", "20990101000000Z")),
    "unknown_issuer": (LOCAL, "stranger", YEARS),
    # larger than OpenSSL's cap of 100 KB for a chain
    "huge": (",".join(f"DNS:host-{n:05}.of-many.example" for n in range(7000)), "ca", YEARS),
    "below_middle": (LOCAL, "middle", YEARS),
}


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


class Maker:
    """Whatever it makes lies in its folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder), encoding="utf-8")
        (self.folder / "index.txt").write_text("", encoding="utf-8")

    def key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.folder / name)

    def request(self, name, key):
        request = self.folder / f"{name}.csr"
        openssl("req", "-new", "-config", self.config, "-key", self.folder / key,
                "-subj", f"/O=Echolot/CN={name}", "-out", request)  # fmt: skip
        return request

    def root(self, name):
        self.key(f"{name}.key")
        openssl("req", "-x509", "-config", self.config, "-key", self.folder / f"{name}.key",
                "-subj", f"/O=Echolot/CN={name}", "-days", "3650", "-extensions", "authority",
                "-out", self.folder / f"{name}.pem")  # fmt: skip

    def issue(self, name, issuer, valid, extensions, key="key.pem"):
        request = self.request(name, key)
        extra = self.folder / f"{name}.cnf"
        extra.write_text(f"[extra]\n{extensions}\n", encoding="utf-8")
        openssl("ca", "-batch", "-notext", "-config", self.config,
                "-cert", self.folder / f"{issuer}.pem", "-keyfile", self.folder / f"{issuer}.key",
                "-startdate", valid[0], "-enddate", valid[1],
                "-extfile", extra, "-extensions", "extra",
                "-in", request, "-out", self.folder / f"{name}.pem")  # fmt: skip

    def leaf(self, name):
        names, issuer, valid = LEAVES[name]
        self.issue(name, issuer, valid,
                   f"subjectAltName={names}" if names else "basicConstraints=CA:false")  # fmt: skip

    def middle(self):
        self.key("middle.key")
        self.issue("middle", "ca", YEARS, "basicConstraints=critical,CA:true", "middle.key")

    def rest(self):
        """What is no certificate of an issuer's."""
        self.key("other_key.pem")
        openssl("ec", "-in", self.folder / "key.pem", "-aes128", "-passout", "pass:x",
                "-out", self.folder / "encrypted_key.pem")  # fmt: skip
        openssl("req", "-x509", "-config", self.config, "-key", self.folder / "key.pem",
                "-subj", "/O=Echolot/CN=self_signed", "-days", "3650",
                "-addext", f"subjectAltName={LOCAL}",
                "-out", self.folder / "self_signed.pem")  # fmt: skip
        texts = [(self.folder / f"{name}.pem").read_text() for name in ("below_middle", "middle")]
        (self.folder / "chain.pem").write_text("".join(texts), encoding="utf-8")
        (self.folder / "no_pem.pem").write_text("nothing of the kind\n", encoding="utf-8")

    def make(self, names):
        self.key("key.pem")
        self.root("ca")
        if not names:
            self.root("stranger")
            self.middle()
        for name in names or LEAVES:
            self.leaf(name)
        if not names:
            self.rest()


def make(folder, *names):
    """Fills the folder, which exists; gives it back as a path."""
    maker = Maker(folder)
    maker.make(names)
    return maker.folder


if __name__ == "__main__":
    make(*sys.argv[1:])
