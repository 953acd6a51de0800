"""Help and usage errors that name what an option takes, without types of Python."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from reconciler.cli.messages import USAGE
from reconciler.formats import shown

_UsageError: Any = typer.BadParameter.__base__  # which typer does not export
_MAX_LENGTH = 60  # characters of a value


class _Argument(TyperArgument):
    """An argument that is shown by its name alone."""

    def display_type(self, ctx: Any) -> str:
        """Return no type."""
        del ctx
        return ""


def use_plain_help(app: typer.Typer) -> None:
    """Let all registered commands and groups of a program show such help."""
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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _refusing(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _refusing(ctx):  # some values are checked by the command itself
            return super().invoke(ctx)


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:  # shows the help
            return super().parse_args(ctx, args)
        with _refusing(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with _refusing(ctx):
            return super().resolve_command(ctx, args)


@contextmanager
def _refusing(ctx: Any) -> Iterator[None]:
    """Print what was refused on the first line, then the command that shows help. Exits with 2."""
    try:
        with _own_message():
            yield
    except _UsageError as error:
        if ctx.resilient_parsing:  # a shell completes a command
            raise
        line = " ".join(str(error.format_message()).split())
        print(f"{ctx.command_path}: {line}", file=sys.stderr)
        print(f"What it takes: {ctx.command_path} --help", file=sys.stderr)
        raise typer.Exit(USAGE) from error


@contextmanager
def _own_message() -> Iterator[None]:
    """Replace the library's message on a refused value by what it must be and what it is."""
    try:
        yield
    except typer.BadParameter as error:
        errors: list[Any] = getattr(error.__cause__, "errors", list)()
        if errors:
            kind = "a whole number" if "int" in errors[0]["type"] else "a number"
            value = shown(str(errors[0]["input"]))[:_MAX_LENGTH]
            error.message = f"must be {_range(error.param) or kind}, not {value}"
        raise


def _range(param: Any) -> str:
    """Return the range of a parameter, empty where it has none."""
    bounds = (("at least", getattr(param, "min", None)), ("at most", getattr(param, "max", None)))
    numbers = " and ".join(f"{words} {bound}" for words, bound in bounds if bound is not None)
    return f"a number, {numbers}" if numbers else ""


def _without_types(params: list[Any]) -> list[Any]:
    """Return the parameters without types; a flag takes no value at all."""
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag and param.metavar is None:
            param.metavar = ""
        elif isinstance(param, TyperArgument):
            param.__class__ = _Argument
    return params
