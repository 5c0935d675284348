"""The example of a `.env`, made from the settings' own descriptions and from what the compose file asks for."""

from collections.abc import Iterator, Mapping

from curavani.pages.settings import default_text
from shared.core.settings import ALL_GROUPS, SettingsGroup, is_secret

DEPLOYMENT: Mapping[str, tuple[str, str]] = {
    "COMPOSE_FILE": ("deploy/compose.yaml", "Lets docker compose find its file from the project's root."),
    "CURAVANI_VERSION": ("local", "Tag of the services' images."),
    "CURAVANI_DATA": ("/srv/curavani", "Folder on the host with patient_imports (owned by 10001) and scrapes."),
    "CURAVANI_SECRETS": ("./secrets", "Folder of the secrets' files, seen from deploy."),
    "PATIENT_DOMAIN": (
        "patients.localhost",
        "The patient service's name on the internet; the proxy gets its certificate.",
    ),
    "THERAPIST_DOMAIN": ("therapists.localhost", "The same of the therapist service."),
    "PATIENT_CONSOLE_BASE_URL": ("", "CONSOLE_BASE_URL of the patient service, https://… of the reverse proxy."),
    "THERAPIST_CONSOLE_BASE_URL": ("", "The same of the therapist service."),
    "WEB_CONCURRENCY": ("1", "Worker processes of each service; one of them imports."),
}
"""What only the deployment reads: default, and what it is."""
ACTIVE = ("COMPOSE_FILE",)
"""Set in the example already."""

_HEADER = """# Copy to .env and set what differs from the defaults shown. docs/settings.md has the same as a table.
# Secrets belong into files: each may come as NAME_FILE, the path of one. deploy/compose.yaml sets those already, and
# the addresses and folders inside its containers.
"""


def environment_example() -> str:
    """The example's text: every variable once, after its description."""
    sections = [_section("Deployment with docker compose", _deployment())]
    sections += [_section(_title(group), _settings(group)) for group in ALL_GROUPS]
    return _HEADER + "".join(sections)


def _section(title: str, lines: Iterator[str]) -> str:
    return f"\n# --- {title} ---\n" + "".join(lines)


def _deployment() -> Iterator[str]:
    for name, (default, description) in DEPLOYMENT.items():
        yield f"# {description}\n{'' if name in ACTIVE else '#'}{name}={default}\n"


def _settings(group: type[SettingsGroup]) -> Iterator[str]:
    for field, info in group.model_fields.items():
        required = " Required." if info.is_required() else ""
        yield f"# {info.description}{required}\n#{info.alias}={default_text(info) or ''}\n"
        if is_secret(group, field):
            yield f"#{info.alias}_FILE=\n"


def _title(group: type[SettingsGroup]) -> str:
    """`PatientImportSettings` → `Patient import`."""
    name = group.__name__.removesuffix("Settings")
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words.capitalize()
