"""How measurements are shown."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

Row = tuple[str | float, ...]
"""What was measured, then its figures and their units; the figures are lined up below each other."""


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Prints the rows; one of texts only is a heading."""
    table = Table(title=title, title_justify="left", show_header=False, box=box.SIMPLE)
    table.add_column()
    for _ in range(max(map(len, rows), default=1) - 1):
        table.add_column(justify="right")
    for row in rows:
        is_heading = all(isinstance(cell, str) for cell in row)
        table.add_row(*map(_shown, row), style="bold" if is_heading else None, end_section=is_heading)
    Console().print(table)


def _shown(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:,.2f}" if cell < 1_000 else f"{cell:,.0f}"
