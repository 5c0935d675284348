"""The page of all settings, `docs/settings.md`, made from the settings' own descriptions."""

from pydantic.fields import FieldInfo

from shared.core.settings import ALL_GROUPS, is_secret

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
            default = default_text(info)
            secret = " Secret." if is_secret(group, field) else ""
            required = " Required." if info.is_required() else ""
            shown = "–" if default is None else f"`{default}`"
            rows.append(f"| `{info.alias}` | {shown} | {info.description}{required}{secret} |")
    return _HEADER + "\n".join(rows) + "\n"


def default_text(info: FieldInfo) -> str | None:
    """A setting's default as one would write it in the environment; None where it has none."""
    if info.is_required() or info.default is None:
        return None
    return str(info.default).lower() if isinstance(info.default, bool) else str(info.default)
