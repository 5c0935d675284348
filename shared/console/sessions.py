"""Sessions of the console: a signed cookie with a random key, and the session it opens in the database.

Any replica knows a session; signing out, an operator, or time ends it for every copy of its cookie. The signing key is
derived from the API tokens, which all replicas share, so changing the tokens ends every session.
"""

import hashlib
import hmac
import secrets
from typing import cast

from flask import Flask, current_app, session

from shared.core.tokens import ApiToken
from shared.database.engine import transaction
from shared.history.sessions import begin_session, end_session, session_proof
from shared.http.service import Service, current_service

_KEY = "key"
_LANGUAGE = "language"


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
    end()
    service, key = current_service(), secrets.token_urlsafe(32)
    with transaction(service.engine) as connection:
        begin_session(connection, service.kernel, key, token.name, _proof(token))
    session[_KEY] = key


def end() -> None:
    """Ends the session for every copy of its cookie, and forgets all in this one but the language."""
    service, key, chosen = current_service(), _key(), language()
    if key is not None:
        with transaction(service.engine) as connection:
            end_session(connection, service.kernel, key)
    session.clear()
    if chosen:
        choose_language(chosen)


def present(*, active: bool) -> ApiToken | None:
    """The token of the session in hand; None where there is none, it was ended, or its token was taken away.

    `active` says that a person asked for something, which keeps the session alive; a page that updates itself does not.
    """
    service, key = current_service(), _key()
    if key is None:
        return None
    with transaction(service.engine) as connection:
        proof = session_proof(connection, service.kernel, key, active=active)
    tokens = service.serving.tokens if proof is not None else ()
    return next((token for token in tokens if hmac.compare_digest(_proof(token), str(proof))), None)


def has_begun() -> bool:
    """Whether the browser holds a session that somebody once signed in to, be it over or not."""
    return _key() is not None


def language() -> str | None:
    """The language chosen in this browser."""
    chosen = session.get(_LANGUAGE)
    return chosen if isinstance(chosen, str) else None


def choose_language(code: str) -> None:
    """Keeps the choice for as long as the browser keeps the cookie."""
    session[_LANGUAGE] = code


def _key() -> str | None:
    key = session.get(_KEY)
    return key if isinstance(key, str) else None


def _proof(token: ApiToken) -> str:
    """Names the token without telling it; another role is another token."""
    told = f"{token.name}\0{token.role}\0{token.token}"
    return hmac.new(cast("bytes", current_app.secret_key), told.encode(), "sha256").hexdigest()


def _signing_key(service: Service) -> bytes:
    """From all tokens, slowly: a cookie must not be a way to try out short tokens at leisure.

    Without any token everybody is let in anyway (`API_AUTH=off`), and the key protects nothing.
    """
    secret = "\0".join(sorted(f"{token.name}:{token.role}:{token.token}" for token in service.serving.tokens))
    salt = f"curavani console session {service.name}".encode()
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
