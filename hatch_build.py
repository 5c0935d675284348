"""Compiles the console's catalogues for whatever is built: the wheel, and the checkout that `uv sync` installs."""

from pathlib import Path
from typing import Any

from babel.messages.frontend import CommandLineInterface
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Catalogues(BuildHookInterface):  # type: ignore[type-arg] # its configuration is of no use here
    """What the wheel lists as an artifact is made here."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's own
        folder = Path(self.root) / "shared" / "console" / "translations"
        CommandLineInterface().run(["pybabel", "--quiet", "compile", "--directory", str(folder)])
