"""Who may call what: every route of both services with the least role, from the routes themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flask import Flask

from shared.core.tokens import Role
from shared.http.auth import needed_role

_TOKEN = "a-token-for-a-page-of-documentation"  # noqa: S105 - nothing listens to it
_SETTINGS = {
    "DATABASE_URL": "postgresql://nobody@localhost/nothing",
    "API_TOKENS": f"nobody:look:{_TOKEN}",
    "THERAPIST_IMPORT_FOLDER_PATH": "/nowhere",
}
_HEADER = """# Roles

What each role may call, of the API and the console alike; each includes those before it. A route without a role is
refused to everybody. Made from the routes, and held by a test that calls each of them as each role.

- `look` sees states and counts: nobody's name, no file's name, no value.
- `read` also sees persons, files and what is in them.
- `write` also creates, changes and corrects persons and registrations.
- `operate` also imports, retries, discards, decides and erases.
"""


@dataclass(frozen=True, order=True, slots=True)
class Route:
    """One method of one address, and the least role for it; None for everybody."""

    address: str
    method: str
    role: Role | None


def routes_of(app: Flask) -> list[Route]:
    """Every route of the application, in the order of the addresses."""
    return sorted(
        {
            Route(rule.rule, method, needed_role(app.view_functions[rule.endpoint]))
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        },
        key=lambda route: (route.address, route.method),
    )


def roles_page() -> str:
    """The page's text."""
    # Only here: building the services is nothing that other pages need.
    from patient_service.app import create_app as create_patient_app  # noqa: PLC0415
    from therapist_service.app import create_app as create_therapist_app  # noqa: PLC0415

    patients = routes_of(create_patient_app(_SETTINGS, start_workers=False))
    therapists = routes_of(create_therapist_app(_SETTINGS, start_workers=False))
    both = [route for route in patients if route in therapists]
    sections = (
        ("Both services", both),
        ("Patient service", [route for route in patients if route not in both]),
        ("Therapist service", [route for route in therapists if route not in both]),
    )
    return _HEADER + "".join(line for title, routes in sections for line in _section(title, routes))


def _section(title: str, routes: Iterable[Route]) -> Iterator[str]:
    yield f"\n## {title}\n| role | method | address |\n|---|---|---|\n"
    for route in sorted(routes, key=lambda route: (route.role or 0, route.address, route.method)):
        role = f"`{route.role.name.lower()}`" if route.role else "everybody"
        yield f"| {role} | {route.method} | `{route.address}` |\n"
