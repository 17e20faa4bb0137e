"""What people read on the terminal: one table at the end of a stage."""

from collections.abc import Mapping, Sequence
from typing import Any


def print_summary(title: str, summary: Mapping[str, Any]) -> None:
    """Print names and values as a two-column table."""
    print_table(title, ("", ""), [(name, _shown(value)) for name, value in summary.items()], show_header=False)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, show_header: bool = True) -> None:
    """Print ``rows`` under ``header``; cells are text and never read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", show_header=show_header, title_style="bold")
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 500  # in a file nothing is broken: paths can be copied and searched for
    console.print(table)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
