"""Model of the OPTC."""
