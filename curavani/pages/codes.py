"""The page of all codes, `docs/codes.md`, made from the catalogue."""

from shared.words.codes import Code, Severity

_HEADER = """# Codes

Every code that stands in a mail, in the console, in the API or in a log line, with what it means and what to do. The
German text is the one that mails and console show, the English one that of the command line. The people who run it find
the steps behind it in the [handbook](handbook.md).

Jeder Code, der in einer Mail oder in der Konsole steht, mit seiner Bedeutung und dem, was zu tun ist. Die Schritte dazu
stehen im [Handbuch](handbook.md).
"""
_SECTIONS: tuple[tuple[Severity, str, str], ...] = (
    (
        "error",
        "Errors · Fehler",
        "Something was not imported or does not work.\nEtwas wurde nicht importiert oder arbeitet nicht.",
    ),
    (
        "finding",
        "Findings · Hinweise",
        "The import went on; a person may want to know.\nDer Import lief weiter; der Hinweis steht bei der Datei.",
    ),
)


def codes_page() -> str:
    """The page's text."""
    return _HEADER + "".join(_section(*section) for section in _SECTIONS)


def _section(severity: Severity, title: str, lead: str) -> str:
    rows = [
        f"| `{code}` | {_cell(code.german)} | {_cell(code.english)} |"
        for code in sorted(Code)
        if code.severity == severity
    ]
    return f"\n## {title}\n{lead}\n\n| code | Deutsch | English |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
