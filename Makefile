# Each target makes its own environment in .venv, with pip alone.

PORT ?= 8787
SEEDS ?= 2000
MINUTES ?= 5
DATA_DIR ?= state
KILLS ?= 200
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
# The page of the inspector; of its files the one that is made last.
PAGE := admin/inspector_licenses.txt
GUARDS := tests/test_typing.py tests/test_packaging.py

.PHONY: help serve editor inspector wheel screenshots test check settings bench simulate kills fuzz \
	soak instructions clients clean

help:
	@echo "make serve   run the host with the example chat, and print its URL"
	@echo "             PORT=$(PORT) DATA_DIR=$(DATA_DIR)"
	@echo "make editor  the same with the shared editor, whose page it builds; needs npm"
	@echo "make inspector"
	@echo "             build the page of the inspector, as everything here does that installs; needs npm"
	@echo "make wheel   build the distributions in dist, with that page"
	@echo "make test    run the whole suite, real clients included"
	@echo "make check   lint, types and packaging"
	@echo "make settings"
	@echo "             write docs/settings.md, the page of the settings, from the code"
	@echo "make bench   measure this machine beside others, in 20 minutes, and write benchmarks/RESULTS.md"
	@echo "make simulate"
	@echo "             run SEEDS=$(SEEDS) seeds of each workload of the simulation"
	@echo "make kills   kill a host KILLS=$(KILLS) times under load, and look for what it promised"
	@echo "make fuzz    search for input that a decoder fails with; MINUTES=$(MINUTES) for all of them"
	@echo "make soak    run a host with 5,000 sockets for MINUTES=$(MINUTES), and judge it: build/soak"
	@echo "make instructions"
	@echo "             record how many instructions an event takes; needs valgrind"
	@echo "make screenshots"
	@echo "             take the pictures of the inspector in docs/images; needs npm and Chromium"
	@echo "make clean   remove what these made; never the data"

# Run the host with the example application on embedded storage.
serve: $(VENV)/.installed
	$(BIN)/roomhost serve examples.chat:app --data-dir "$(DATA_DIR)" --port $(PORT)

# Run the host with the shared editor.
editor: $(VENV)/.installed build/editor.js
	$(BIN)/roomhost serve examples.editor:app --data-dir "$(DATA_DIR)" --port $(PORT)

# What the page of the editor loads: its own script, and what that imports from npm.
build/editor.js: $(wildcard examples/editor*.js) node_modules/.installed
	@[ -x node_modules/.bin/esbuild ] || { echo "install npm first: apt-get install npm" >&2; exit 1; }
	node_modules/.bin/esbuild examples/editor.js --bundle --minify --format=esm --log-level=warning \
		--outfile=$@

# The page that the host serves at /_inspector/. Who installs the wheel has it, and needs no npm.
inspector: $(PAGE)

$(PAGE): $(wildcard inspector/*.*) inspector/node_modules/.installed
	@if [ -x inspector/node_modules/.bin/esbuild ]; then \
		cd inspector && node_modules/.bin/esbuild main.js --bundle --minify --format=esm --target=es2022 \
			--log-level=warning --outfile=../admin/inspector.js && \
		cp index.html ../admin/inspector.html && \
		for name in @picocss/pico htm preact uplot; do \
			echo "== $$name"; cat node_modules/$$name/LICENSE*; echo; \
		done > ../$@; \
	fi

inspector/node_modules/.installed: inspector/package.json
	@if command -v npm > /dev/null; then \
		npm install --silent --no-package-lock --prefix inspector && touch $@; \
	else \
		echo "npm is not installed: this installation has no page of the inspector"; \
	fi

wheel: $(VENV)/.developed $(PAGE)
	$(BIN)/python -m build

screenshots: $(VENV)/.developed clients
	SCREENSHOTS=docs/images $(BIN)/pytest tests/admin/test_inspector_in_browser.py -k pictures

# Everything but what `check` does: lint, types and packaging have their own target. Half of the time
# a test waits for a disk, a browser or a clock: so there is one process for each CPU, and a file of tests
# stays in one of them, with what it has set up.
test: $(VENV)/.developed clients
	$(BIN)/pytest --numprocesses auto --dist loadfile $(GUARDS:%=--ignore %)

check: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest $(GUARDS)

# The page is made from the code; a test compares them.
settings: $(VENV)/.developed
	$(BIN)/python -m roomhost.admin.settings_page > docs/settings.md

# Measure this machine, beside the peers that can be installed; write benchmarks/RESULTS.md.
bench: $(VENV)/.benched benchmarks/node_modules/.installed build/durable-actors/.installed
	$(BIN)/python -m benchmarks --results

# Any number of runs of the whole core under a seeded scheduler, with a disk that fails.
simulate: $(VENV)/.developed
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

# A real host under mixed traffic, its memory, files, queues and latencies sampled, judged at the end.
soak: $(VENV)/.developed
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

# Kill a host under full load, again and again; SEED=N for other moments.
kills: $(VENV)/.developed
	$(BIN)/python -m tests.faults kills --kills $(KILLS) --seed $(SEED)

# Every decoder in turn, led by coverage; what it finds is in build/fuzz.
fuzz: $(VENV)/.fuzzed
	$(BIN)/python -m tests.fuzz all --minutes $(MINUTES)

# Count the instructions of each kind of event, and record them: what `test` compares with.
instructions: $(VENV)/.developed
	$(BIN)/python -m tests.instructions

$(VENV)/.installed: pyproject.toml | $(PAGE)
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.developed: pyproject.toml $(VENV)/.installed | $(PAGE)
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

$(VENV)/.benched: pyproject.toml $(VENV)/.developed
	$(BIN)/pip install --quiet --group bench
	touch $@

$(VENV)/.fuzzed: pyproject.toml $(VENV)/.developed
	$(BIN)/pip install --quiet --group fuzz
	touch $@

# What drives a real browser, Yjs clients, and workerd; the tests that need them say so where npm is
# missing.
clients: node_modules/.installed

# No stamp without npm: once it is there, the next run installs.
node_modules/.installed: package.json
	@if command -v npm > /dev/null; then \
		npm install --silent && touch $@; \
	else \
		echo "npm is not installed: the tests that need a browser, Yjs clients or workerd are skipped"; \
	fi

# The servers that ours is measured beside; the ones that are missing are left out, and named.
benchmarks/node_modules/.installed: benchmarks/package.json
	@if command -v npm > /dev/null; then \
		npm install --silent --no-package-lock --prefix benchmarks && touch $@; \
	else \
		echo "npm is not installed: nothing is measured beside workerd, Socket.IO and y-websocket"; \
	fi

build/durable-actors/.installed: benchmarks/durable_actors.txt
	@python3 -m venv build/durable-actors
	@if build/durable-actors/bin/pip install --quiet --requirement $<; then \
		touch $@; \
	else \
		rm -rf build/durable-actors; \
		echo "durable-actors cannot be installed: nothing is measured beside it"; \
	fi

clean:
	rm -rf $(VENV) node_modules benchmarks/node_modules inspector/node_modules build dist *.egg-info \
		admin/inspector.css admin/inspector.html admin/inspector.js $(PAGE) \
		.hypothesis .pytest_cache .ruff_cache .mypy_cache
