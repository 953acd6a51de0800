"""The commands that manage our webhook at the portal."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.options import ConfigPath, Json, Yes, read_config, require_answer
from reconciler.errors import WebhookExistsError
from reconciler.formats import shown

if TYPE_CHECKING:
    from reconciler.client import Webhook
    from reconciler.service.webhook_runs import Registered

app = typer.Typer(no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="ID", help='The webhook\'s id, or "ours".')]
Test = Annotated[
    bool,
    typer.Option(
        "--probe/--no-probe",
        help="Test the address from here first; not where only the portal can reach it.",
    ),
]
_OURS = "ours"


@app.callback()
def group() -> None:
    """List, register, enable, rotate and remove our webhook at the portal.

    To list it the key needs the scope *:read, for all else *:write.

    Examples:

        reconciler webhook list
        reconciler webhook rotate --help    # a command in detail
    """


@app.command(name="list")
def list_(
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """List the webhooks that the key's account may see: its own, or for an administrator all.

    The key needs the scope *:read.

    Examples:

        reconciler webhook list
        reconciler webhook list --json
    """
    from reconciler.service import webhook_runs

    with webhook_runs.open_administration(read_config(config), create=False) as administration:
        webhooks = administration.list_webhooks()
        own = administration.find_own(webhooks)
    if as_json:
        fields = [_fields(webhook, webhook == own) for webhook in webhooks]
        typer.echo(json.dumps({"webhooks": fields}))
    elif webhooks:
        typer.echo("\n".join(_as_text(webhook, webhook == own) for webhook in webhooks))
    else:
        typer.echo("No webhooks. Create ours with: reconciler webhook register", err=True)


@app.command()
def register(
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The address for the portal; else webhook.public_url."),
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EVENT",
            help="Also file.uploaded, file.copied, file.moved or form.submit; repeatable.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Its name at the portal, at most 50 characters; else reconciler."
        ),
    ] = None,
    test: Test = True,
    config: ConfigPath = None,
) -> None:
    """Create our webhook at the portal, while `serve` is running behind its address.

    The portal sends file.updated and each --trigger, which webhook.triggers must list too. A
    webhook.secret_file that has no secret yet gets one. A second time it changes nothing.

    Examples:

        reconciler webhook register
        reconciler webhook register --trigger file.uploaded --trigger form.submit
        reconciler webhook register --url https://hooks.example.org/docspace
    """
    from reconciler.service import webhook_runs

    settings = read_config(config)
    if is_new := webhook_runs.ensure_secret(settings):
        typer.echo(f"{settings.webhook.secret_file} has a new secret now.", err=True)
    try:
        done = webhook_runs.register(settings, url, trigger or [], name, test=test)
    except WebhookExistsError as error:
        if is_new:
            raise
        typer.echo(f"Nothing to do: {error}. Whether all is well with it: reconciler check")
        return
    _print_registered(done)
    if url and url != settings.webhook.public_url:
        typer.echo("Set webhook.public_url to that address, so that it is watched.", err=True)


def _print_registered(done: "Registered") -> None:
    typer.echo(f"Webhook {done.webhook.id} calls {done.webhook.url}; save a file to see it work.")
    if done.ignored:
        names = ", ".join(done.ignored)
        typer.echo(f"The receiver ignores {names}: add them to webhook.triggers.", err=True)


@app.command()
def enable(which: Which = _OURS, test: Test = True, config: ConfigPath = None) -> None:
    """Enable a webhook again, if its address answers.

    The portal disables a webhook that has failed for three days.

    Examples:

        reconciler webhook enable
        reconciler webhook enable 7
    """
    from reconciler.service import webhook_runs

    with webhook_runs.open_administration(read_config(config), test=test) as administration:
        webhook = administration.get(_number(which))
        administration.enable(webhook)
    typer.echo(f"Webhook {webhook.id} is enabled. The next sweep finds what it missed.")


@app.command()
def rotate(test: Test = True, config: ConfigPath = None) -> None:
    """Give our webhook a new secret, without a restart and without refusing a delivery.

    The new one becomes the first line of webhook.secret_file. The older ones count until their
    lines are removed; `check` says when they may go.

    Examples:

        reconciler webhook rotate
        reconciler webhook rotate --config /etc/reconciler/config.toml
    """
    from reconciler.service import webhook_runs

    webhook = webhook_runs.rotate(read_config(config), test=test)
    typer.echo(
        f"Webhook {webhook.id} has a new secret. To learn when the old one may go: reconciler check"
    )


@app.command()
def remove(which: Which, yes: Yes = False, config: ConfigPath = None) -> None:
    """Delete a webhook from the portal; the log of its deliveries goes with it.

    Asks first; without a terminal it needs --yes.

    Examples:

        reconciler webhook remove ours
        reconciler webhook remove 7 --yes    # from a script
    """
    from reconciler.service import webhook_runs

    number = _number(which)
    require_answer(yes)
    with webhook_runs.open_administration(read_config(config)) as administration:
        webhook = administration.get(number)
        if not yes:
            question = f"Delete webhook {webhook.id} {shown(webhook.name)} ({shown(webhook.url)})?"
            typer.confirm(question, abort=True, err=True)
        administration.remove(webhook)
    typer.echo(f"Webhook {webhook.id} is deleted.")


def _number(which: str) -> int | None:
    if which == _OURS:
        return None
    if not which.isdecimal() or len(which) > 9:
        raise typer.BadParameter(f'{which} is neither an id nor "{_OURS}"; see: webhook list')
    return int(which)


def _fields(webhook: "Webhook", ours: bool) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "enabled": webhook.enabled,
        "triggers": list(webhook.trigger_names),
        "target": webhook.target,
        "owner": webhook.creator_name,
        "last_success": webhook.succeeded_on or None,
        "last_failure": webhook.failed_on or None,
        "failure": webhook.failure or None,
        "ours": ours,
    }


def _as_text(webhook: "Webhook", ours: bool) -> str:
    from reconciler.client import portal_time

    state = "enabled" if webhook.enabled else "DISABLED"
    mark = "  (ours)" if ours else ""
    failure = f"  {shown(webhook.failure)}" if webhook.failed_on and webhook.failure else ""
    return (
        f"{webhook.id}  {shown(webhook.name)}  {shown(webhook.url)}  {state}{mark}\n"
        f"    triggers      {', '.join(webhook.trigger_names)}\n"
        f"    last success  {shown(portal_time(webhook.succeeded_on)) or 'never'}\n"
        f"    last failure  {shown(portal_time(webhook.failed_on)) or 'never'}{failure}"
    )
