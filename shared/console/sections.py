"""A part of the console, as the kernel or a service contributes it."""

from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint
from flask_babel import LazyString

from shared.core.tokens import Role


@dataclass(frozen=True, slots=True)
class Section:
    """Pages below `/console`, and their entry in the navigation.

    `routes` is a blueprint with a view called `index`; its name is the section's own, and part of its endpoints
    (`console.NAME.index`). Its pages need a signed-in person of at least `role`; a view that needs more says so by
    `access.needs`. `people` is the table of those whom the search finds, where the section shows them.
    """

    routes: Blueprint
    label: LazyString
    role: Role = Role.LOOK
    people: sa.Table | None = None

    @property
    def name(self) -> str:
        return self.routes.name

    @property
    def address(self) -> str:
        """Where it lies below `/console`: at its name, or where its blueprint says."""
        return self.routes.url_prefix or f"/{self.name}"

    @property
    def home(self) -> str:
        """The endpoint of the section's first page."""
        return f"console.{self.name}.index"
