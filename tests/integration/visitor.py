"""Somebody at the console, without a browser."""

import re
from contextlib import contextmanager

from flask.testing import FlaskClient

HTTPS = "https://console.example.com"
TOKENS = (
    "Lena:look:l-token-of-24-characters,Rita:read:r-token-of-24-characters,"
    "Wilma:write:w-token-of-24-characters,Olga:operate:o-token-of-24-characters"
)


class Visitor(FlaskClient):
    """Keeps cookies, and sends forms with the token that came with a page."""

    def page(self, path, **options):
        return self.get(path, base_url=HTTPS, **options)

    def form(self, path, *, csrf=None, **fields):
        return self.post(path, base_url=HTTPS, data={"csrf_token": self.csrf() if csrf is None else csrf, **fields})

    def csrf(self):
        page = self.page("/console/sign-in", follow_redirects=True).text
        return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]

    def sign_in(self, token, **fields):
        return self.form("/console/sign-in", token=token, **fields)


@contextmanager
def signing_in(environment, service, tokens=TOKENS):
    """What signs somebody of a role in, by its first letter: to this service or another one, settings added."""
    apps = {}

    def sign_in(role, create_app=service, **settings):
        wanted = (create_app, *settings.items())
        if wanted not in apps:
            given = {"LOG_LEVEL": "ERROR", **environment, "API_TOKENS": tokens, **settings}
            apps[wanted] = create_app(given, start_workers=False)
            apps[wanted].test_client_class = Visitor
        visitor = apps[wanted].test_client()
        assert visitor.sign_in(f"{role[0]}-token-of-24-characters").status_code == 302
        return visitor

    yield sign_in
    for app in apps.values():
        app.extensions["curavani"].close()
