"""Makes .venv from requirements.txt; called by the Makefile before everything else. Standard library only, quiet when
there is nothing to do.

The stamp, written last, holds what .venv was made from: a .venv without it (interrupted) or with another one is made
anew. A lock lets two makes start at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

MINIMUM = (3, 11)
# Of pip's variables those that say where packages come from; PIP_TARGET, PIP_USER and others would put them elsewhere.
PIP_KEPT = (
    "INDEX_URL", "EXTRA_INDEX_URL", "NO_INDEX", "FIND_LINKS", "TRUSTED_HOST", "CERT", "CLIENT_CERT", "PROXY",
    "CACHE_DIR", "NO_CACHE_DIR", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CONFIG_FILE", "KEYRING_PROVIDER",
    "USE_FEATURE", "USE_DEPRECATED",
)  # fmt: skip
# Run by the new Python: names the packages that it cannot import from .venv, one a line.
CHECK = """
import importlib.metadata as metadata, importlib.util, os, re, sys
def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()
modules = {}
for module, names in metadata.packages_distributions().items():
    for name in names if module.isidentifier() else ():
        modules.setdefault(plain(name), []).append(module)
home = os.path.realpath(sys.prefix) + os.sep
for line in open("requirements.txt", encoding="utf-8"):
    name, _, version = line.partition("#")[0].strip().partition("==")
    if not name:
        continue
    try:
        found = metadata.distribution(name)
        good = found.version == version and os.path.realpath(str(found.locate_file(""))).startswith(home)
        good = good and all(importlib.util.find_spec(each) for each in modules.get(plain(name), []))
    except (metadata.PackageNotFoundError, ImportError, ValueError):
        good = False
    if not good:
        print(name)
"""


def surroundings():
    """The environment without what other Pythons are told."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and (not name.startswith("PIP_") or name[4:] in PIP_KEPT)
    }


def place_error(place):
    """Why no virtual environment can be made in the folder `place`; None if one can."""
    try:
        place.encode("utf-8")
    except UnicodeEncodeError:
        return "the clone's path is not UTF-8: move the clone to another folder"
    for sign, name in ((os.pathsep, repr(os.pathsep)), ("\n", "a line break"), ("\r", "a line break")):
        if sign in place:
            return (
                "the clone's path has %s in it, where Python can make no virtual environment: rename that folder" % name
            )
    return None


def main():
    """Makes or keeps .venv; the error message, or None. Has to parse on any Python 3."""
    if sys.version_info < MINIMUM:
        return "Python %d.%d or newer is needed, this is %d.%d: name another with 'make PYTHON=python3.x ...'" % (
            MINIMUM + sys.version_info[:2]
        )
    venv, requirements = ".venv", "requirements.txt"
    if not os.path.isfile(requirements):
        return "no requirements.txt here: run make in the root of the clone"
    python, stamp = os.path.join(venv, "bin", "python"), os.path.join(venv, "stamp")
    with open(requirements, "rb") as handle:
        wanted = hashlib.sha256(handle.read()).hexdigest() + " %d.%d" % sys.version_info[:2]

    def ready():
        try:
            with open(stamp, encoding="utf-8") as handle:
                return handle.read() == wanted and os.path.exists(python)
        except OSError:
            return False

    if ready():
        return None
    problem = place_error(os.getcwd())
    if problem:
        return problem
    if os.path.islink(venv):
        return ".venv is a link, to an environment made for other requirements: renew that one, or remove the link"
    os.makedirs("build", exist_ok=True)
    log = os.path.join("build", "setup.log")
    with open(os.path.join("build", "setup.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready():
            return None
        print("setting up .venv ...", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        environment = surroundings()

        def call(*command):
            with open(log, "a", encoding="utf-8") as out:
                return subprocess.call(command, stdout=out, stderr=subprocess.STDOUT, env=environment)

        def said():
            with open(log, encoding="utf-8", errors="replace") as text:
                return [line.strip() for line in text]

        open(log, "w", encoding="utf-8").close()
        if call(sys.executable, "-m", "venv", venv) != 0:
            shutil.rmtree(venv, ignore_errors=True)
            return (
                "python3 cannot make a virtualenv: install it, 'apt-get install python3-venv' on Debian (log: %s)" % log
            )
        # What is imported is compiled then; compiling all of it takes half of the set-up.
        options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-user", "--no-input"]
        if call(python, "-I", "-m", "pip", "install", *options, "-r", requirements) != 0:
            lines = [line for line in said() if "ERROR" in line] or ["see the log"]
            return "pip could not install requirements.txt: %s (log: %s)" % (lines[-1], log)
        open(log, "w", encoding="utf-8").close()
        status = call(python, "-I", "-c", CHECK)
        lines = said()
        if status != 0 or lines:
            missing = ", ".join(lines[-1:] if status else lines[:5]) + (", ..." if len(lines) > 5 else "")
            return "pip says that it has installed what .venv lacks (%s): see what 'pip config list' tells it" % missing
        with open(stamp + ".tmp", "w", encoding="utf-8") as handle:
            handle.write(wanted)
        os.replace(stamp + ".tmp", stamp)
    return None


if __name__ == "__main__":
    try:
        message = main()
    except OSError as error:
        message = "cannot make .venv: %s" % error
    if message:
        print("error: " + message, file=sys.stderr)
        sys.exit(2)
