"""Dependencies have upper bounds, and the lock file keeps them."""

import functools
import pathlib
import re

from loading import setup_arguments
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = pathlib.Path(__file__).parent.parent
LOCK = (ROOT / "requirements_lock.txt").read_text()
# The extras in the lock file. Those of the site and of compilers are not.
_LOCKED = ("tensorflow", "jax", "sr", "edge", "all", "test")
# It gets a new major version every few weeks.
_UNBOUNDED = {"setuptools"}
# TensorFlow Model Optimization holds the first back. JAX alone has newer ones.
_HELD_BACK = {"absl-py"}


@functools.cache
def _requirements():
    """The `Requirement`s of setup.py, and those of them that are locked."""
    found = setup_arguments()
    extras = found["extras_require"]
    groups = {"": found["install_requires"], **extras}
    every = {
        extra: [Requirement(line) for line in lines]
        for extra, lines in groups.items()
    }
    locked = [of for extra in ("", *_LOCKED) for of in every[extra]]
    return [of for each in every.values() for of in each], locked


def _locked():
    """The locked versions by name."""
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==(\S+) \\$", LOCK))


def _upper(requirement):
    (bound,) = (of for of in requirement.specifier if of.operator == "<")
    return Version(bound.version).release


def test_every_dependency_has_both_bounds():
    requirements, _ = _requirements()
    for requirement in requirements:
        if requirement.name not in _UNBOUNDED:
            kinds = sorted(of.operator for of in requirement.specifier)
            assert kinds == ["<", ">="], requirement


def test_the_lock_file_has_every_dependency_within_its_bounds():
    versions = _locked()
    for requirement in _requirements()[1]:
        name = canonicalize_name(requirement.name)
        if requirement.marker is None or name in versions:
            assert requirement.specifier.contains(versions[name]), requirement


def test_no_bound_is_beyond_the_next_version():
    versions = _locked()
    for requirement in _requirements()[1]:
        name = canonicalize_name(requirement.name)
        if name in _UNBOUNDED | _HELD_BACK:
            continue
        major, minor, *_ = Version(versions[name]).release
        following = (major + 1,), (major, minor + 1)
        assert _upper(requirement) in following, requirement


def test_every_locked_version_has_hashes_and_no_place():
    entries = re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:]
    assert len(entries) == len(_locked()) > 50
    for entry in entries:
        first, *hashes = entry.replace(" \\\n", "\n").split()
        assert re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.+]+", first)
        assert hashes
        for each in hashes:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each)
