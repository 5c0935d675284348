"""Certificates for one run: an authority, a broker's own certificate, those of other hosts, a second authority."""

import subprocess
from pathlib import Path


class Certificates:
    """Files of PEM in a folder, made by openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        for authority in ("authority", "stranger"):
            self._openssl(
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={authority}",
                "-keyout", f"{authority}.key", "-out", f"{authority}.pem",
            )  # fmt: skip
        self._issue("broker", "localhost")
        self._issue("elsewhere", "elsewhere.example")
        self._issue("index", "pypi.org", "registry-1.docker.io")

    def authority(self, name: str = "authority") -> str:
        return str(self._folder / f"{name}.pem")

    def chain(self, name: str) -> str:
        """A certificate with its key, in one file."""
        return str(self._folder / f"{name}.store.pem")

    def listener(self, listener: str, name: str) -> dict[str, str]:
        """A broker's settings for a listener with this certificate."""
        prefix = f"listener.name.{listener}.ssl"
        return {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": self.chain(name),
            f"{prefix}.client.auth": "none",
        }

    def _issue(self, name: str, *hosts: str) -> None:
        self._openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={hosts[0]}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
        )
        names = self._folder / f"{name}.names"
        names.write_text(f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}\n")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
            "-days", "2", "-extfile", names.name, "-out", f"{name}.pem",
        )  # fmt: skip
        # Java takes both from one file.
        parts = [self._folder / f"{name}.key", self._folder / f"{name}.pem"]
        (self._folder / f"{name}.store.pem").write_text("".join(part.read_text() for part in parts))

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
