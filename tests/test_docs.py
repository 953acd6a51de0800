"""The documents name every command, key, event, metric, reason, exit code and variable; the
commands in them exist, their links are valid, and every section of docspace.md that the code cites
exists.
"""

import inspect
import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import typer

from reconciler import errors, event, receiver
from reconciler.cli import messages
from reconciler.cli.commands import app
from reconciler.cli.overview import as_json, files_as_json
from reconciler.config import NAMED, keys, load
from reconciler.diagnostics import Problem, ProblemKind
from reconciler.diagnostics.problems import BLOCKING
from reconciler.errors import ReconcilerError
from reconciler.ledger import Ledger
from reconciler.ledger.records import UnfinishedFile
from reconciler.ledger.store.databases import MEMORY
from reconciler.model import AttemptReason, Outcome, Rule
from tests.support_ledger import NOW, PORTAL

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "reconciler" / "docs"
README = (ROOT / "README.md").read_text("utf-8")
GUIDE, REFERENCE, DESIGN = (
    (DOCS / f"{name}.md").read_text("utf-8") for name in ("guide", "reference", "design")
)


def shown_commands() -> list[str]:
    """Return the commands of ours in the documents, in blocks and in text, without our name."""
    documents = "\n".join((README, GUIDE, REFERENCE, DESIGN)).split("```")
    text, blocks = documents[::2], documents[1::2]
    shell = [
        line for block in blocks if block.startswith(("sh\n", "\n")) for line in block.splitlines()
    ]
    inline = [code for code in re.findall(r"`([^`\n]+)`", "".join(text)) if not set(code) & {*"[|"}]
    pattern = re.compile(r"(?:^|[ /])reconciler ([a-z][^>&]*)")
    found = map(pattern.search, [*shell, *inline])
    return list(dict.fromkeys(one[1].replace("FILE_ID", "7").strip() for one in found if one))


def commands() -> list[str]:
    """Return the names of all commands."""
    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands())
def test_the_command_is_named(command: str) -> None:
    """Every command stands in README at a glance, and in the reference."""
    assert f"| `reconciler {command}" in README
    assert f"| `reconciler {command}" in REFERENCE


@pytest.mark.parametrize("key", keys())
def test_the_reference_and_the_sample_file_name_the_key(key: str) -> None:
    """Every configuration key stands in the table, and in config.toml unless secret."""
    assert f"| `{key}` |" in REFERENCE
    secret = key in {"portal.api_key", "webhook.secret", "state.password"}
    name = key.partition(".")[2]
    found = re.search(rf"^(# )?{name} = ", (ROOT / "config.toml").read_text("utf-8"), re.MULTILINE)
    assert secret or found


@pytest.mark.parametrize("variable", NAMED)
def test_the_variable_is_named(variable: str) -> None:
    """Every environment variable of its own name is mentioned."""
    assert f"`{variable}`" in REFERENCE


FORESEEN: list[ReconcilerError] = [
    errors.ConfigError(("portal.url is missing",)),
    errors.AddressInUseError("127.0.0.1:3000", "in use"),
    errors.UnauthorizedError("GET keys/@self", 401, "expired"),
    errors.UnauthorizedError("GET files/rooms", 403, "no scope", scope="rooms:read"),
    errors.TransientError("GET files/rooms", 503, "busy"),
    errors.RoleHeldError("sweep", "process 7"),
    errors.LedgerError("disk full"),
    errors.AddressUnreachableError("https://hooks.example.com/"),
    errors.UntrustedCertificateError("https://hooks.example.com/", None, "self-signed certificate"),
    errors.WebhookExistsError("https://hooks.example.com/", 7),
    errors.WebhookNotFoundError("7"),
    errors.WebhookRejectedError("https://hooks.example.com/", "not available"),
    errors.WebhookRejectedError("https://hooks.example.com/", "refused", 500),
]


@pytest.mark.parametrize("error", FORESEEN, ids=lambda error: type(error).__name__)
def test_the_reference_has_the_remedy_of_every_error(error: ReconcilerError) -> None:
    """The reference has every error message, by its first words, with its remedy."""
    begins = re.findall(r"^\| `([A-Z][^`]+)` \|", REFERENCE, re.MULTILINE)
    _, message = messages.message_for(error)
    assert [one for one in begins if message.startswith(one)]


def test_every_foreseen_error_is_among_those() -> None:
    """Each error class is in the list above, and so has a message and a row."""
    classes = {one for one in vars(errors).values() if isinstance(one, type)}
    ends = {one for one in classes if issubclass(one, ReconcilerError)}
    inside = {ReconcilerError, errors.PortalError, errors.ShutdownRequested}
    portal = {one for one in ends if issubclass(one, errors.PortalError)}
    assert ends - inside - portal <= {type(error) for error in FORESEEN}


def test_the_reference_names_every_exit_code() -> None:
    """Every code that a command can end with stands in the table."""
    codes = {messages.OK, messages.SOME_FAILED, messages.USAGE, messages.PORTAL, messages.BUSY}
    for code in codes | {messages.LEDGER, messages.UNAVAILABLE, messages.BUG}:
        assert f"\n| {code} | " in REFERENCE


def test_no_command_or_key_is_listed_that_is_not_there() -> None:
    """The tables list no command and no key that does not exist."""
    for text in (README, REFERENCE):
        listed = set(re.findall(r"^\| `reconciler ([a-z-]+)", text, re.MULTILINE)) - {"--version"}
        assert listed == set(commands())
    assert set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", REFERENCE, re.MULTILINE)) == set(keys())


@pytest.mark.parametrize("rule", Rule)
def test_the_reference_names_the_reason(rule: Rule) -> None:
    """The reference lists each rule with its row, outcome and description."""
    row = "gate" if rule.row is None else rule.row
    outcome = rule.outcome.value if rule.outcome else "looked at"
    assert f"| `{rule.value}` | {row} | {outcome} | {rule.description} |" in REFERENCE


@pytest.mark.parametrize("reason", AttemptReason)
def test_the_reference_names_the_reason_that_is_no_rule(reason: AttemptReason) -> None:
    """The reference lists each reason that is no rule, with its description."""
    assert f"| `{reason.value}` | {reason.description} |" in REFERENCE


def test_the_reference_names_every_kind_of_the_portals_errors() -> None:
    """The reference lists the kinds of the portal's errors, as reasons of attempts."""
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", REFERENCE, re.MULTILINE))
    kinds = {
        one.kind
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.PortalError)
    }
    assert kinds <= listed


def test_readme_is_short() -> None:
    """README has at most three hundred lines; the rest is in other documents."""
    assert len(README.splitlines()) <= 300


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub and the like make of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda p: p.name
)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Every link leads to a file of the repository and to a heading in it."""
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    for link in links:
        if link.startswith("http"):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


def test_every_dependency_has_a_reason() -> None:
    """Each runtime library is named under Decisions."""
    decisions = DESIGN.partition("## Decisions")[2].lower()
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    block = re.search(r"^dependencies = \[(.*?)\]", project, re.DOTALL | re.MULTILINE)
    assert block is not None
    for name in re.findall(r'"([a-z-]+)', block[1]):
        assert name in decisions, name


def test_the_drawing_is_mermaid() -> None:
    """The drawing is in Mermaid, which GitHub and the like render."""
    assert "```mermaid" in README


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_that_is_shown_can_be_run(line: str) -> None:
    """The commands and options in the documents exist."""
    words = shlex.split(line, comments=True)
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands"), "no such command"
    if words and words != ["--help"]:
        command.make_context("reconciler", words)


def test_the_configuration_that_the_guide_shows_can_be_used(tmp_path: Path) -> None:
    """The configuration in the guide is valid as it is."""
    (block,) = re.findall(r"^```toml\n(.*?)```", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text(block, encoding="utf-8")
    config = load(tmp_path / "config.toml", {})
    assert (config.portal.api_key_file, config.webhook.require_https) == (
        Path("/var/lib/reconciler/api_key"),
        True,
    )


# The facts about the portal.

FACTS = files("reconciler").joinpath("docs", "docspace.md").read_text("utf-8")
SECTION = r"\d+(?:\.\d+)?"
CITATION = re.compile(rf"docspace\.md ({SECTION}(?:(?:, | and | to ){SECTION})*)")


def sections() -> list[str]:
    """Return the numbers of docspace.md's sections, in order."""
    return re.findall(rf"^##+ ({SECTION})", FACTS, re.MULTILINE)


def texts() -> Iterator[tuple[str, str]]:
    """Yield each file that may cite docspace.md, and its text with its lines joined."""
    for path in sorted([*(ROOT / "reconciler").rglob("*"), *(ROOT / "tests").rglob("*")]):
        tells = path.suffix in {".py", ".md", ".html"}
        if tells and path.name not in {"docspace.md", Path(__file__).name}:
            text = re.sub(r"\[[^]]*\]\([^)]*\)", "", path.read_text("utf-8"))  # links
            text = re.sub(r"\s*\n[\s#]*", " ", text)
            yield str(path.relative_to(ROOT)), text


def test_the_shipped_facts_number_each_section_once() -> None:
    """docspace.md's section numbers are unique and ascending, subsections within theirs."""
    numbers = [tuple(map(int, number.split("."))) for number in sections()]
    assert numbers
    assert numbers == sorted(set(numbers))
    assert {number[:1] for number in numbers} <= set(numbers)


def test_every_cited_section_is_shipped() -> None:
    """Every section of docspace.md that is cited exists."""
    there = set(sections())
    cited = {
        (path, number)
        for path, text in texts()
        for numbers in CITATION.findall(text)
        for number in re.findall(SECTION, numbers)
    }
    assert cited
    assert not {(path, number) for path, number in cited if number not in there}


def test_every_citation_is_complete() -> None:
    """A citation has both the file and the section."""
    for path, text in texts():
        assert not re.findall(rf"(?<!/)docspace\.md(?! {SECTION})", text), path
        assert not re.findall(r" \(\d+\.\d+\)", text), path


def test_readme_links_the_shipped_facts() -> None:
    """README links to the docspace.md that the package ships."""
    (link,) = set(re.findall(r"\]\(([^)]*docspace\.md)\)", README))
    assert (ROOT / link).read_text("utf-8") == FACTS


def printed_status() -> str:
    """Return what `status --json` prints of an empty ledger with one problem."""
    with closing(Ledger(MEMORY, PORTAL)) as ledger:
        seen = ledger.health.overview(NOW)
    return as_json(seen, [Problem(ProblemKind.TEXTS, "")], 9000)


def printed_files() -> str:
    """Return what `failed list --json` prints of one file."""
    file = UnfinishedFile(1, "A.docx", Outcome.FAILED, "failed", "", NOW, 1, NOW)
    return files_as_json([file])


@pytest.mark.parametrize(
    ("command", "printed"), [("status", printed_status), ("failed list", printed_files)]
)
def test_the_reference_names_the_fields_of_json(command: str, printed: Callable[[], str]) -> None:
    """The reference names every field of the JSON output and of each problem or file in it."""
    start = REFERENCE.index(f"**{command}** with `--json`")
    named = set(re.findall(r"`(\w+)`", REFERENCE[start : REFERENCE.index("\n\n", start)]))
    shown = json.loads(printed())
    lists = (shown.get("problems", []), shown["files"])
    fields = set(shown).union(*(one for some in lists for one in some))
    assert fields - named == set()


def reasons_in(module: ModuleType) -> set[str]:
    """Return the reasons of answers in a module's source."""
    named = r'(?:"(?:refused|ignored)", |_unavailable\(|IgnoredDelivery\()f?"([a-z_{}]+)"'
    found = re.findall(named, inspect.getsource(module))
    return {reason.replace("{name}", part) for reason in found for part in ("event", "payload")}


@pytest.mark.parametrize("reason", sorted(reasons_in(receiver) | reasons_in(event)))
def test_the_reference_names_every_reason_of_the_webhooks_answers(reason: str) -> None:
    """The reference names every reason that the portal's log of deliveries may contain."""
    section = REFERENCE.partition("## The webhook's answers")[2].partition("\n## ")[0]
    assert f"`{reason}`" in section or f'"reason": "{reason}"' in section


@pytest.mark.parametrize("kind", sorted(BLOCKING - {ProblemKind.NO_SERVE}))
def test_the_reference_names_every_reason_of_readyz(kind: ProblemKind) -> None:
    """The reference names every reason of /readyz; a daemon that does not run cannot answer."""
    start = REFERENCE.index("The reasons of `/readyz`")
    assert f"`{kind.value}`" in REFERENCE[start : REFERENCE.index("\n\n", start)]
