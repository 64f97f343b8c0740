"""`python -m flow <target>`: what the Makefile calls."""

import sys

from flow.cli import main
from flow.core.stdout import make_tolerant
from tb.lib.errors import UserError

if __name__ == "__main__":
    make_tolerant()
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)
