"""`python -m tb.flow <target>`: what the Makefile calls."""

import sys

from tb.flow.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
