"""The mail sink, asked by Python's own SMTP client."""

import json
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest

from standins.mail_sink import MailSink


def _mail(subject: str = "Willkommen, Frau Müller") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Curavani <no-reply@example.org>"
    message["To"] = "mueller@example.org"
    message["Subject"] = subject
    message.set_content("Schön, dass Sie da sind.\n.\nMit Grüßen\n")
    return message


def _send(sink: MailSink, message: EmailMessage | None = None) -> None:
    with smtplib.SMTP(sink.host, sink.port, timeout=60) as client:
        client.send_message(message or _mail())


def test_a_mail_arrives_as_it_was_written(tmp_path: Path) -> None:
    with MailSink(folder=tmp_path / "mails") as sink:
        _send(sink)
        _send(sink, _mail("zweite"))
        first, second = sink.wait_for(2)
        assert (first["Subject"], second["Subject"]) == ("Willkommen, Frau Müller", "zweite")
        assert first.get_content().replace("\r\n", "\n") == "Schön, dass Sie da sind.\n.\nMit Grüßen\n"
        assert sink.recipients == [["mueller@example.org"]] * 2
        sink.clear()
        assert sink.messages == []
    (envelope, _) = sorted((tmp_path / "mails").glob("*.json"))
    assert json.loads(envelope.read_text()) == {"from": "no-reply@example.org", "to": ["mueller@example.org"]}
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 2


@pytest.mark.parametrize("code", [451, 550])
def test_mails_are_refused_as_often_as_asked(code: int) -> None:
    with MailSink() as sink:
        sink.refuse(code, times=2)
        for _ in range(2):
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                _send(sink)
            assert refusal.value.smtp_code == code
        _send(sink)
        assert len(sink.messages) == 1


def test_tls_and_login() -> None:
    with MailSink(tls=True, login=("user", "secret")) as sink:
        context = ssl.create_default_context(cafile=str(sink.certificate))
        with smtplib.SMTP(sink.host, sink.port, timeout=60) as client:
            with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
                client.send_message(_mail())
            client.starttls(context=context)
            with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
                client.send_message(_mail())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("user", "wrong")
            sink.refuse(535)
            with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                client.login("user", "secret")
            assert refusal.value.smtp_code == 535
            client.login("user", "secret")
            client.send_message(_mail())
        assert len(sink.messages) == 1


def test_an_untrusted_certificate_is_an_error_for_the_client() -> None:
    with MailSink(tls=True) as sink, smtplib.SMTP(sink.host, sink.port, timeout=60) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())
        client.close()


def test_a_restart_on_the_same_port_keeps_the_mails() -> None:
    with MailSink() as sink:
        port = sink.port
        _send(sink)
        sink.stop()
        with pytest.raises(ConnectionRefusedError):
            _send(sink)
        sink.start()
        assert sink.port == port
        _send(sink)
        assert len(sink.messages) == 2


def test_waiting_for_a_mail_that_does_not_come() -> None:
    with MailSink() as sink, pytest.raises(TimeoutError, match="0 mails of 1"):
        sink.wait_for(1, seconds=0.05)
