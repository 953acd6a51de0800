"""Help in the words of people: it shows what an option takes, and no type of Python."""

from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Argument(TyperArgument):
    """An argument that is shown by its name alone."""

    def display_type(self, ctx: Any) -> str:
        """Return no type."""
        del ctx
        return ""


def use_plain_help(app: typer.Typer) -> None:
    """Let the commands and groups of a program, all registered by now, show such help."""
    app.info.cls = _Group
    for command in app.registered_commands:
        command.cls = _Command
    for group in app.registered_groups:
        group.cls = _Group
        if group.typer_instance is not None:
            use_plain_help(group.typer_instance)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def _without_types(params: list[Any]) -> list[Any]:
    """Return the parameters; a flag takes nothing, so that nothing stands beside it."""
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag and param.metavar is None:
            param.metavar = ""
        elif isinstance(param, TyperArgument):
            param.__class__ = Argument
    return params
