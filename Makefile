# TrainSlice. `make help` lists every target and variable; the work is done in flow (python -m flow).
TARGETS := sim waves watch list test regress replay train net coverage lint faults mutate bench synth prove tensors train-model regs docs help

# Variables go on make's command line; one that is merely exported does not count.
ifneq ($(filter environment%,$(origin PYTHON)),)
$(info note: PYTHON of the environment is not used: variables go on make's command line)
endif
PYTHON := python3

# What the caller's environment says to other Pythons (a path, a home, warnings as errors) must not reach this one.
unexport $(filter PYTHON%,$(filter-out PYTHONUNBUFFERED,$(.VARIABLES)))
# Names the targets of this call, so that a variable of one is not refused by another.
export TS_GOALS := $(MAKECMDGOALS)
# Every simulation starts Python: without compiled modules that takes twice as long, so they are kept, whatever the
# caller's environment says, and in build/.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

.DEFAULT_GOAL := help
.PHONY: $(TARGETS) setup clean

setup:
	@$(PYTHON) flow/core/setup_env.py

$(TARGETS): setup
	@.venv/bin/python -m flow $@

clean:
	@rm -rf build

# A name that is no target; a target's own name must not fall through to this.
.DEFAULT:
	@$(PYTHON) -m flow.core.makevars $@ $(TARGETS) setup clean
