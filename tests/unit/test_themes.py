"""The console's two themes, as the style sheets have them."""

import re
from pathlib import Path

STYLES = sorted((Path(__file__).parents[2] / "shared" / "console").rglob("*.css"))
OF_A_THEME = re.compile(r"@media [^{]*prefers-color-scheme[^{]*\{\s*:root \{([^{}]*)\}\s*\}")


def test_the_themes_differ_in_colours_only():
    # So pages are looked at in one theme by all rules, and in the other by those about colours.
    styles = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    blocks = OF_A_THEME.findall(styles)
    assert len(blocks) == styles.count("prefers-color-scheme") == 1
    values = dict(re.findall(r"\s*--([\w-]+): ([^;]+);", blocks[0]))
    assert re.sub(r"\s*--[\w-]+: [^;]+;", "", blocks[0]).strip() == ""
    assert {name for name, value in values.items() if not re.fullmatch("#[0-9a-f]{6}", value)} == {"shadow"}
