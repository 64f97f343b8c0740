# TrainSlice. `make help` lists every target and variable; the work is done in tb/flow (python -m tb.flow).
PYTHON  ?= python3
TARGETS := sim test regress replay train coverage lint faults bench synth prove tensors train-model regs docs help

# Names the targets of this call, so that a variable of one is not refused by another.
export TS_GOALS := $(MAKECMDGOALS)
# Every simulation starts Python: without compiled modules that takes twice as long, so they are kept, whatever the
# caller's environment says, and in build/.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: $(TARGETS) setup clean

setup:
	@$(PYTHON) tb/flow/setup_env.py

$(TARGETS): setup
	@.venv/bin/python -m tb.flow $@

clean:
	@rm -rf build
