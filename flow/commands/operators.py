"""Mutation operators of `make mutate`, by name: what each does. Apart from what needs a parser, for `make help`."""

from __future__ import annotations

from collections.abc import Mapping

OPERATORS: Mapping[str, str] = {
    "operator": "an operator replaced, or a unary one dropped",
    "condition": "a condition negated, stuck at 1 or at 0 (arms of ternaries swapped or lost)",
    "enable": "one side of && or || dropped",
    "constant": "a literal or named constant off by one",
    "index": "an index or part-select off by one",
    "narrow": "the top bit of a register, counter, address or sum cut off",
    "assignment": "an assignment dropped, or swapped with the next one",
    "reset": "a reset value inverted, or no reset",
    "case": "an arm of a case replaced by the next one",
    "handshake": "valid, ready or take stuck: a transfer lost or repeated",
}
