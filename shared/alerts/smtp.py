"""Sending one mail, over SMTP with TLS and login."""

import smtplib
import ssl
from email.message import EmailMessage

from shared.errors import TransientError
from shared.settings import MailSettings

_TIMEOUT_SECONDS = 20.0
_IMPLICIT_TLS_PORT = 465


class MailUnavailable(TransientError):
    """The mail server did not take the mail; it is worth trying again."""

    code = "mail_unavailable"


def send(settings: MailSettings, message: EmailMessage) -> None:
    """Hands the mail to the server. Raises `MailUnavailable`; returns only after the server has taken it."""
    try:
        with _connected(settings) as server:
            if settings.username and settings.password:
                server.login(settings.username, settings.password.get_secret_value())
            server.send_message(message)
    except (smtplib.SMTPException, OSError):
        # The server's text may quote addresses.
        raise MailUnavailable from None


def _connected(settings: MailSettings) -> smtplib.SMTP:
    host, context = str(settings.host), ssl.create_default_context()
    if settings.use_tls and settings.port == _IMPLICIT_TLS_PORT:
        return smtplib.SMTP_SSL(host, settings.port, timeout=_TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(host, settings.port, timeout=_TIMEOUT_SECONDS)
    if settings.use_tls:
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server
