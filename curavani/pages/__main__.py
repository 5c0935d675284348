"""Writes every page anew."""

from pathlib import Path

from curavani.pages import PAGES

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Writes the pages into the checkout that this module stands in."""
    for path, text in PAGES.items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
