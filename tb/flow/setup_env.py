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
    os.makedirs("build", exist_ok=True)
    log = os.path.join("build", "setup.log")
    with open(os.path.join("build", "setup.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready():
            return None
        print("setting up .venv ...", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        with open(log, "w", encoding="utf-8") as out:
            if subprocess.call([sys.executable, "-m", "venv", venv], stdout=out, stderr=subprocess.STDOUT) != 0:
                shutil.rmtree(venv, ignore_errors=True)
                return (
                    "python3 cannot make a virtualenv: install it, 'apt-get install python3-venv' on Debian (log: %s)"
                    % log
                )
            # What is imported is compiled then; compiling all of it takes half of the set-up.
            options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
            command = [python, "-m", "pip", "install", *options, "-r", requirements]
            if subprocess.call(command, stdout=out, stderr=subprocess.STDOUT) != 0:
                out.flush()
                with open(log, encoding="utf-8") as text:
                    said = [line.strip() for line in text if "ERROR" in line] or ["see the log"]
                return "pip could not install requirements.txt: %s (log: %s)" % (said[-1], log)
        with open(stamp + ".tmp", "w", encoding="utf-8") as handle:
            handle.write(wanted)
        os.replace(stamp + ".tmp", stamp)
    return None


if __name__ == "__main__":
    message = main()
    if message:
        print("error: " + message, file=sys.stderr)
        sys.exit(2)
