"""`python -m tb.flow <target>`: what the Makefile calls."""

import sys

from tb.flow.cli import main
from tb.flow.errors import UserError
from tb.flow.stdout import make_tolerant

if __name__ == "__main__":
    make_tolerant()
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)
