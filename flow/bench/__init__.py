"""`make bench`: the environment beside a bare C++ loop and a conventional environment."""
