"""What is published: its name, and a wheel and an sdist with all that an installation needs."""

import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from reconciler import DISTRIBUTION, version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def shipped() -> set[str]:
    """Return the files of the package, including templates, texts and documents."""
    found = (path for path in (ROOT / "reconciler").rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if path.suffix != ".pyc"}


def test_the_project_is_published_under_a_name_of_its_own() -> None:
    """The package has its own name, since `reconciler` is another project."""
    assert PROJECT["name"] == DISTRIBUTION == "docspace-reconciler"
    assert version() == PROJECT["version"]
    assert PROJECT["scripts"] == {"reconciler": "reconciler.cli:main"}


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    """The wheel contains the package with templates, texts and documents, and nothing else."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == shipped()


def test_the_sdist_holds_what_builds_and_tests_it(tmp_path: Path) -> None:
    """A wheel can be built from the sdist, and its tests can be run."""
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "config.toml", "tests/test_package.py"}
    assert needed | shipped() <= names


def install_hints() -> Iterator[tuple[str, str]]:
    """Yield each package that a message or a document tells users to install, and where."""
    documents = [ROOT / "README.md", *(ROOT / "reconciler").rglob("*")]
    pattern = re.compile(r"(?:pip|pipx|uv tool) install (?:--?[\w-]+ )*['\"]?([\w{}./-]+)")
    for path in documents:
        if path.suffix in {".py", ".md", ".html"} or path.name == "Containerfile":
            for package in pattern.findall(path.read_text("utf-8")):
                yield package, path.name


@pytest.mark.parametrize(("package", "where"), sorted(set(install_hints())))
def test_what_is_to_be_installed_is_ours(package: str, where: str) -> None:
    """Every package that users are told to install is the checkout or the published name."""
    assert package.startswith((".", "/source", "{DISTRIBUTION}", DISTRIBUTION))
