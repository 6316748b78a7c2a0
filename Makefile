# A new user needs only `make demo`. Each target installs what it needs first; the second time that is quick.
#
#   make demo                                     everything, with generated tweets, and a short tour
#   make demo SOURCE=replay FILE=tweets.jsonl.gz SPEED=max LIMIT=95000
#   make demo SOURCE=bluesky                      real posts, live, no key
#   make demo LANGUAGES=en,es,pt,ja,de            everybody writes one of these languages
#   make up | stop | status | logs NAME=producer  the local stack
#   make test | coverage | faults | test-pythons | fresh-machines | lint | lock | docs | clean
#   make bench-producer | bench-replay | bench-speed | bench-classifier | bench-stages | bench-sentiment | bench-gate | bench-identity | bench-confidence | bench-drift | bench-themes
#   make dashboards                               writes dashboards/; kibana-import URL=… loads Kibana's

SHELL := /bin/sh
.DEFAULT_GOAL := help
CLI := .venv/bin/twitter-topics
# the checkout's path may contain more than ASCII
export LC_ALL := C.UTF-8

# SOURCE, FILE, SPEED, LIMIT and TIMES are short for settings of the producer
ifdef SOURCE
export PRODUCER_SOURCE := $(SOURCE)
endif
ifdef FILE
export PRODUCER_REPLAY_FILE := $(FILE)
PRODUCER_SOURCE ?= replay
export PRODUCER_SOURCE
endif
ifdef SPEED
export PRODUCER_REPLAY_SPEED := $(SPEED)
endif
ifdef LIMIT
export PRODUCER_LIMIT := $(LIMIT)
endif
ifdef TIMES
export PRODUCER_REPLAY_TIMES := $(TIMES)
endif

.PHONY: help demo up stop status logs doctor test coverage faults test-pythons fresh-machines lint lock docs clean bench-producer bench-replay bench-speed bench-classifier bench-stages bench-sentiment bench-gate bench-identity bench-confidence bench-drift bench-themes dashboards kibana-import bootstrap bootstrap-dev

help:
	@sed -n '2,12s/^# \{0,1\}//p' Makefile

bootstrap:
	@deploy/local/bootstrap.sh

bootstrap-dev:
	@deploy/local/bootstrap.sh dev

YES := yes 1 true
ifneq ($(filter-out $(YES) no 0 false,$(WHOLE_HISTORY)),)
$(error WHOLE_HISTORY=$(WHOLE_HISTORY) is neither yes nor no)
endif
OPTIONS := $(if $(filter $(YES),$(WHOLE_HISTORY)),--whole-history) $(if $(LANGUAGES),--languages $(LANGUAGES))

# shift an old file's tweets to now, so that the last hour is not empty
demo: export PRODUCER_REPLAY_TIMES ?= shift
demo: bootstrap
	@$(CLI) demo $(OPTIONS)

up: bootstrap
	@$(CLI) up $(OPTIONS)

stop:
	@[ ! -x $(CLI) ] || $(CLI) down

NEEDS_VENV = [ -x $(CLI) ] || { echo "make $@ needs .venv; run make bootstrap first" >&2; exit 1; }

status:
	@$(NEEDS_VENV)
	@$(CLI) status

# not ?=, so that only NAME=… of the command line counts: many shells have a NAME of their own
NAME := classify-tweets
logs:
	@$(NEEDS_VENV)
	@$(CLI) logs $(NAME)

doctor:
	@$(NEEDS_VENV)
	@$(CLI) doctor

# most of the time is spent waiting for servers, so there are more processes than cores
PARALLEL := -n 3 --dist loadgroup --no-loadscope-reorder
test: bootstrap-dev
	@.venv/bin/python -m pytest $(or $(ARGS),$(PARALLEL)) $(if $(COVERAGE),--cov)

# all tests, with the floor of pyproject.toml
coverage: COVERAGE := yes
coverage: test

# breaks the speed layer at every point and each store for three minutes, and writes docs/faults.md; hours.
# ARGS='"classifier.*" --seconds 20' runs some, ARGS=--list names all
faults: bootstrap-dev
	@.venv/bin/python -m tests.faults $(ARGS)

# the tests on every supported Python of this machine
test-pythons:
	@tools/test-pythons $(ARGS)

# writes docs/fresh-machines.md from its records; SUITES="bookworm trixie" first records these, as root and as an ordinary user
fresh-machines:
	@code=0; for suite in $(SUITES); do \
	    for who in "" --user; do tools/fresh-machine $$suite $$who || code=1; done; \
	done; tools/fresh-machine && exit $$code

bench-producer: bootstrap-dev
	@.venv/bin/python benchmarks/producer.py $(ARGS)

# throughput, latency and CPU of the whole stack; ARGS=--quick takes less than five minutes
bench-speed: bootstrap-dev
	@.venv/bin/python -m benchmarks.speed $(ARGS)

# where the time of the Python workers goes, by step
bench-classifier: bootstrap-dev
	@.venv/bin/python -m benchmarks.classifier $(ARGS)

# topics and rolling counts on one core: Spark's own stages and ours
bench-stages: bootstrap-dev
	@.venv/bin/python -m benchmarks.stages $(ARGS)

# ARGS="--texts tweets.jsonl.gz" times real texts, otherwise generated ones
bench-sentiment: bootstrap-dev
	@.venv/bin/python benchmarks/sentiment.py $(ARGS)

# files of every kind through the real producer
bench-replay: bootstrap-dev
	@.venv/bin/python benchmarks/replay.py $(ARGS)

# ARGS="--tweets tweets.jsonl.gz": planted good and bad challengers on windows of these tweets
bench-gate: bootstrap-dev
	@.venv/bin/python -m benchmarks.gate $(ARGS)

# ARGS="--tweets tweets.jsonl.gz": six trainings on drifting tweets; adding --quick takes minutes and writes nothing
bench-identity: bootstrap-dev
	@.venv/bin/python -m benchmarks.identity $(ARGS)

# ARGS="--tweets tweets.jsonl.gz": whether the confidence in a tweet's topic is true
bench-confidence: bootstrap-dev
	@.venv/bin/python -m benchmarks.confidence $(ARGS)

# whether topics find the themes of the made-up stream
bench-themes: bootstrap-dev
	@.venv/bin/python -m benchmarks.themes $(ARGS)

# ARGS="--tweets tweets.jsonl.gz": the drift of days with and without a new subject; prints a table
bench-drift: bootstrap-dev
	@.venv/bin/python -m benchmarks.live_drift $(ARGS)

lint: bootstrap-dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

# pages generated from the code
docs: bootstrap-dev
	@.venv/bin/python -m twitter_topics.settings.reference
	@.venv/bin/python -m benchmarks.report

# dashboards/ from the code in tools/dashboards
dashboards: bootstrap-dev
	@.venv/bin/python -m tools.dashboards

# a user as KIBANA_USERNAME and KIBANA_PASSWORD, or KIBANA_API_KEY
kibana-import: bootstrap-dev
	@.venv/bin/python -m tools.dashboards.kibana.importing $(URL)

# requirements.txt is valid for every Python of `requires-python`; without URLs, so that pip uses the configured index
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock:
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -c requirements.txt -o requirements-dev.txt

# deletes data, logs and secrets of the stack; downloads stay
clean:
	@$(NEEDS_VENV)
	@$(CLI) clean --yes
