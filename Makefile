# Two commands: `make run` and `make test`. Both do all their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test crash chaos lock clean

run: $(VENV)/run.installed
	@exec $(BIN)/python -m supervisor run

# All tests run in several processes, each with a database of its own; ARGS chooses some, which run in one.
PARALLEL := -n logical --maxprocesses 4 --dist loadgroup
test: $(VENV)/dev.installed
	@exec $(BIN)/python -m supervisor exec -- $(BIN)/python -m pytest $(or $(ARGS),$(PARALLEL))

# SIGKILL at each named point; EVENTS for each.
EVENTS ?= 30
crash: $(VENV)/dev.installed
	@exec $(BIN)/python -m bench.crash --events $(EVENTS) $(ARGS)

# Faults of every kind at once; sizes: python -m bench.chaos --help.
MESSAGES ?= 20000
OUTAGE ?= 60
chaos: $(VENV)/dev.installed
	@exec $(BIN)/python -m bench.chaos --messages $(MESSAGES) --outage $(OUTAGE) $(ARGS)

# The stamp is written last: an install that was cut off is done again.
$(VENV)/run.installed: requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Leadwire needs Python 3.11 or newer.")'
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing (once)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/dev.installed: requirements/dev.txt $(VENV)/run.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Locks name versions and hashes, and no index.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml
lock: $(VENV)/dev.installed
	$(BIN)/$(LOCK) --extra s3 --extra ses -o requirements/production.txt
	$(BIN)/$(LOCK) --extra embedded -c requirements/production.txt -o requirements/run.txt
	$(BIN)/$(LOCK) --extra s3 --extra ses --extra embedded --group dev -c requirements/run.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) .data
