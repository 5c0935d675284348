"""Sending one mail, over SMTP with TLS and login."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial

from shared.core.dependencies import Dependency
from shared.core.errors import TransientError
from shared.core.settings import MailSettings
from shared.words.codes import Code

_TIMEOUT_SECONDS = 20.0
_GREETING_SECONDS = 4.0
_IMPLICIT_TLS_PORT = 465


class MailUnavailable(TransientError):
    """The mail server did not take the mail; it is worth trying again."""

    code = Code.MAIL_UNAVAILABLE


def send(settings: MailSettings, message: EmailMessage) -> None:
    """Hands the mail to the server. Raises `MailUnavailable`; returns only after the server has taken it."""
    with _session(settings) as server:
        _log_in(server, settings)
        server.send_message(message)


def mail_dependency(settings: MailSettings, *, login: bool = False) -> Dependency:
    """The mail server. Only a person who asks logs in: a probe that does so all day looks like an attack."""
    probe = None if settings.host is None else partial(greet, settings, login=login)
    return Dependency("mail", probe, MailUnavailable.code, "Set SMTP_HOST; alerts wait in the database until then.")


def greet(settings: MailSettings, *, login: bool) -> None:
    """Connects, logs in if `login`, and leaves without a mail. Raises `MailUnavailable`."""
    with _session(settings, _GREETING_SECONDS) as server:
        server.ehlo_or_helo_if_needed()
        if login:
            _log_in(server, settings)


def _log_in(server: smtplib.SMTP, settings: MailSettings) -> None:
    if settings.username and settings.password:
        server.login(settings.username, settings.password.get_secret_value())


@contextmanager
def _session(settings: MailSettings, seconds: float = _TIMEOUT_SECONDS) -> Iterator[smtplib.SMTP]:
    """A connection. What fails within the block is `MailUnavailable`; how the server says goodbye decides nothing.

    The library's own context manager raises where QUIT is not answered as it expects, when the mail was taken long ago:
    it would be sent again and again.
    """
    try:
        server = _connected(settings, seconds)
        try:
            yield server
        except BaseException:
            server.close()
            raise
    except (smtplib.SMTPException, OSError):
        # The server's text may quote addresses.
        raise MailUnavailable from None
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _connected(settings: MailSettings, seconds: float) -> smtplib.SMTP:
    host, context = str(settings.host), ssl.create_default_context()
    if settings.use_tls and settings.port == _IMPLICIT_TLS_PORT:
        return smtplib.SMTP_SSL(host, settings.port, timeout=seconds, context=context)
    server = smtplib.SMTP(host, settings.port, timeout=seconds)
    if settings.use_tls:
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server
