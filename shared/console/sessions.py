"""Sessions of the console: a signed cookie that says which token somebody signed in with, and since when.

The key is derived from the API tokens, which all replicas share: any replica knows a session, and changing the tokens
ends every session. Nothing is kept on the server, so signing out takes the cookie from the browser, and a copy of it
made before ends with its lifetime.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from flask import Flask, current_app, session

from shared.core.clock import now
from shared.core.tokens import ApiToken
from shared.http.service import Service

IDLE = timedelta(hours=2)
"""A session without a page looked at for so long ends."""
ABSOLUTE = timedelta(hours=12)
"""No session lasts longer than a working day."""
_REFRESH = timedelta(minutes=1)
"""How exactly the last look is known; a cookie with every answer would be waste."""
_LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the cookie says: a digest that names the token, and when the session began and was last used."""

    proof: str
    since: float
    seen: float


def configure_sessions(app: Flask, service: Service) -> None:
    """Makes Flask's session cookie one that no script, no other site and no plain connection ever gets."""
    app.secret_key = _signing_key(service)
    app.config.update(
        # Cookies do not keep ports apart, and both services may run on one host.
        SESSION_COOKIE_NAME=f"__Host-curavani-{service.kernel.service_name}",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def begin(token: ApiToken) -> None:
    """Starts a session of its own: nothing that was in the browser's cookie before gets into it."""
    language = session.get(_LANGUAGE)
    session.clear()
    moment = now().timestamp()
    session.update({"proof": _proof(token), "since": moment, "seen": moment})
    if language:
        session[_LANGUAGE] = language


def end() -> None:
    """Forgets who was signed in, but not the language they read."""
    language = session.get(_LANGUAGE)
    session.clear()
    if language:
        session[_LANGUAGE] = language


def present(tokens: Sequence[ApiToken], *, active: bool) -> ApiToken | None:
    """The token of the session in hand; None where there is none, it is too old, or its token was taken away.

    `active` says that a person asked for something, which keeps the session alive; a page that updates itself does not.
    """
    held = _read()
    if held is None:
        return None
    moment = now().timestamp()
    if moment - held.seen > IDLE.total_seconds() or moment - held.since > ABSOLUTE.total_seconds():
        return None
    found = next((token for token in tokens if hmac.compare_digest(_proof(token), held.proof)), None)
    if found is not None and active and moment - held.seen > _REFRESH.total_seconds():
        session["seen"] = moment
    return found


def has_begun() -> bool:
    """Whether the browser holds a session that somebody once signed in to, be it over or not."""
    return _read() is not None


def language() -> str | None:
    """The language chosen in this browser."""
    chosen = session.get(_LANGUAGE)
    return chosen if isinstance(chosen, str) else None


def choose_language(code: str) -> None:
    """Keeps the choice for as long as the browser keeps the cookie."""
    session[_LANGUAGE] = code


def _read() -> SignedIn | None:
    proof, since, seen = (session.get(name) for name in ("proof", "since", "seen"))
    if isinstance(proof, str) and isinstance(since, (int, float)) and isinstance(seen, (int, float)):
        return SignedIn(proof, since, seen)
    return None


def _proof(token: ApiToken) -> str:
    """Names the token without telling it; another role is another token."""
    return hmac.new(_key(), f"{token.name}\0{token.role}\0{token.token}".encode(), "sha256").hexdigest()


def _key() -> bytes:
    return cast("bytes", current_app.secret_key)


def _signing_key(service: Service) -> bytes:
    """From all tokens, slowly: a cookie must not be a way to try out short tokens at leisure.

    Without any token everybody is let in anyway (`API_AUTH=off`), and the key protects nothing.
    """
    secret = "\0".join(sorted(f"{token.name}:{token.role}:{token.token}" for token in service.serving.tokens))
    salt = f"curavani console session {service.name}".encode()
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
