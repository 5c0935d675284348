"""The page of all settings, `docs/settings.md`, made from the settings' own descriptions."""

from shared.settings import ALL_GROUPS, is_secret

_HEADER = """# Settings

Read from the environment, once, at start. All that is missing or malformed is named in one message, without values,
and the command ends with 2. A secret may come as `NAME_FILE`, the path of a file that holds it. An empty variable
counts as unset.

| variable | default | |
|---|---|---|
"""


def settings_page() -> str:
    """The page's text."""
    rows = []
    for group in ALL_GROUPS:
        for field, info in group.model_fields.items():
            default = "–" if info.is_required() or info.default is None else f"`{_shown(info.default)}`"
            secret = " Secret." if is_secret(group, field) else ""
            required = " Required." if info.is_required() else ""
            rows.append(f"| `{info.alias}` | {default} | {info.description}{required}{secret} |")
    return _HEADER + "\n".join(rows) + "\n"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
