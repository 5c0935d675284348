"""A mail server of one's own: takes every mail, delivers none, and can refuse as real ones do."""

import json
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import weakref
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from standins.local import LOOPBACK, free_port

_PARSER: Final = BytesParser(policy=policy.default)
_AUTHENTICATION_FAILED: Final = 535
_START_SECONDS: Final = 60.0


class MailSink:
    """An SMTP server in threads of this process, on a free port that it then keeps.

    `tls` offers STARTTLS, and takes no mail without it, with a certificate for `localhost` and 127.0.0.1 that
    `certificate` tells the path of. `login` is the user and password that are asked for, after STARTTLS where there is
    one. With a `folder`, each mail is a file there, too: `<number>.eml`, and its envelope beside it as JSON.
    """

    def __init__(
        self,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        tls: bool = False,
        login: tuple[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._login = login
        self._folder = folder
        self._lock = threading.Condition()
        self._mails: list[tuple[Envelope, EmailMessage]] = []
        self._refusals: list[int] = []
        self.goodbye = "221 Bye"
        """What QUIT is answered with."""
        self._controller: _Controller | None = None
        self._certificates = Path(tempfile.mkdtemp(prefix="curavani-mail-")) if tls else None
        self._context = None
        if self._certificates is not None:
            weakref.finalize(self, shutil.rmtree, self._certificates, True)
            self._context = _self_signed(self._certificates)

    @property
    def host(self) -> str:
        return self._host

    @property
    def port(self) -> int:
        """The port; 0 before the first start, and the same from then on."""
        return self._port

    @property
    def certificate(self) -> Path:
        """The certificate that a client has to trust. Raises ValueError without `tls`."""
        if self._certificates is None:
            raise ValueError("this server has no certificate")
        return self._certificates / "certificate.pem"

    @property
    def messages(self) -> list[EmailMessage]:
        """The mails taken so far, in their order."""
        with self._lock:
            return [message for _, message in self._mails]

    @property
    def recipients(self) -> list[list[str]]:
        """Whom the mails taken so far were for, by the envelope and not by what the mail says."""
        with self._lock:
            return [list(envelope.rcpt_tos) for envelope, _ in self._mails]

    def wait_for(self, count: int, seconds: float = 10.0) -> list[EmailMessage]:
        """The mails, once there are as many. Raises TimeoutError where they do not come in time."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._mails) >= count, seconds):
                raise TimeoutError(f"{len(self._mails)} mails of {count} came")
        return self.messages

    def clear(self) -> None:
        """Forgets the mails and the refusals; files in the folder stay."""
        with self._lock:
            self._mails.clear()
            self._refusals.clear()

    def refuse(self, code: int, times: int = 1) -> None:
        """Refuses so often: logins with 535, mails with any other code (451 for later, 550 for good)."""
        if not 400 <= code <= 599:
            raise ValueError("a refusal has a code from 400 to 599")
        with self._lock:
            self._refusals += [code] * times

    def start(self) -> Self:
        """Serves, on the port of the last start. Does nothing where it serves already."""
        if self._controller is None:
            port = self._port or free_port()
            controller = _Controller(self, self._host, port, self._context, auth=self._login is not None)
            controller.start()
            self._controller, self._port = controller, port
        return self

    def stop(self) -> None:
        """Ends serving; the mails stay. Does nothing where it does not serve."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def receive(self, envelope: Envelope) -> str:
        """Takes a mail or refuses it; the answer to the client. Called by the server."""
        code = self._next_refusal(login=False)
        if code is not None:
            return f"{code} {'Try again later' if code < 500 else 'Refused'}"
        message = _PARSER.parsebytes(bytes(envelope.original_content or b""))
        with self._lock:
            # On disk first: whoever sees the mail in memory finds its file.
            self._save(envelope)
            self._mails.append((envelope, message))
            self._lock.notify_all()
        return "250 OK"

    def admits(self, login: str, password: str) -> bool:
        """Whether the login is the right one and not to be refused. Called by the server."""
        refused = self._next_refusal(login=True) is not None
        return not refused and (login, password) == self._login

    def _next_refusal(self, *, login: bool) -> int | None:
        with self._lock:
            for index, code in enumerate(self._refusals):
                if (code == _AUTHENTICATION_FAILED) == login:
                    return self._refusals.pop(index)
        return None

    def _save(self, envelope: Envelope) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        # By time: a sink that is started later adds to the folder and replaces nothing in it.
        path = self._folder / f"{time.time_ns()}.eml"
        path.write_bytes(bytes(envelope.original_content or b""))
        path.with_suffix(".json").write_text(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos}))


class _Intake:
    """What aiosmtpd calls. Apart from the sink, since aiosmtpd reads every attribute of it, the properties, too."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        return self._sink.receive(envelope)

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        return self._sink.goodbye

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, kind: str, data: object) -> AuthResult:  # noqa: ARG002
        admitted = isinstance(data, LoginPassword) and self._sink.admits(data.login.decode(), data.password.decode())
        # Where it is not handled, aiosmtpd answers with 535 by itself.
        return AuthResult(success=admitted, handled=False)


class _Controller(Controller):
    def __init__(self, sink: MailSink, host: str, port: int, context: ssl.SSLContext | None, *, auth: bool) -> None:
        self._context = context
        self._auth = auth
        self._intake = _Intake(sink)
        super().__init__(self._intake, hostname=host, port=port, ready_timeout=_START_SECONDS)

    def factory(self) -> SMTP:
        tls = self._context is not None
        return SMTP(
            self._intake,
            hostname="localhost",
            ident="curavani mail sink",
            enable_SMTPUTF8=True,
            tls_context=self._context,
            require_starttls=tls,
            authenticator=self._intake.authenticate if self._auth else None,
            auth_required=self._auth,
            auth_require_tls=tls,
            auth_exclude_mechanism=["LOGIN"],  # a client tries the next one: a refusal would be lost to a retry
        )


def _self_signed(folder: Path) -> ssl.SSLContext:
    """Makes a certificate with the `openssl` program, and what a server needs to use it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(  # noqa: S603 - no input of others
        [*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
