"""`python -m tb.flow <target>`: what the Makefile calls."""

import sys

from tb.flow.cli import main

sys.exit(main(sys.argv[1:]))
