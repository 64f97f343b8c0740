"""Environment of the OPTC."""
