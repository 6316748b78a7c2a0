# `make demo` is all a new user needs. Every target first makes what it needs; the second time that is quick.
#
#   make demo                                     everything, with made-up tweets, and a short tour
#   make demo SOURCE=replay FILE=tweets.jsonl.gz SPEED=max LIMIT=95000
#   make demo SOURCE=bluesky                      real posts, live, no key
#   make up | stop | status | logs NAME=producer  the local stack
#   make test | test-pythons | fresh-machines | lint | lock | docs | clean | bench-producer

SHELL := /bin/sh
.DEFAULT_GOAL := help
CLI := .venv/bin/twitter-topics
# the path of the checkout may hold more than ASCII
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

.PHONY: help demo up stop status logs doctor test test-pythons fresh-machines lint lock docs clean bench-producer bootstrap bootstrap-dev

help:
	@sed -n '2,8s/^# \{0,1\}//p' Makefile

bootstrap:
	@deploy/local/bootstrap.sh

bootstrap-dev:
	@deploy/local/bootstrap.sh dev

# an old file's tweets are moved to now, so that there is something to see in the last hour
demo: export PRODUCER_REPLAY_TIMES ?= shift
demo: bootstrap
	@$(CLI) demo

up: bootstrap
	@$(CLI) up

stop:
	@[ ! -x $(CLI) ] || $(CLI) down

status:
	@$(CLI) status

NAME ?= classify-tweets
logs:
	@$(CLI) logs $(NAME)

doctor:
	@$(CLI) doctor

test: bootstrap-dev
	@.venv/bin/python -m pytest $(ARGS)

# the tests on every supported Python that this machine has
test-pythons:
	@tools/test-pythons $(ARGS)

# docs/fresh-machines.md from its records; with SUITES="bookworm trixie" also new records of these: root, ordinary user
fresh-machines:
	@code=0; for suite in $(SUITES); do \
	    for who in "" --user; do tools/fresh-machine $$suite $$who || code=1; done; \
	done; tools/fresh-machine && exit $$code

bench-producer: bootstrap-dev
	@.venv/bin/python benchmarks/producer.py $(ARGS)

lint: bootstrap-dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

# pages that are written by the code they describe
docs: bootstrap-dev
	@.venv/bin/python -m twitter_topics.settings.reference

# requirements.txt holds for every Python of `requires-python`; no addresses in it, so that everybody's own index is used
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock:
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -c requirements.txt -o requirements-dev.txt

# data, logs and secrets of the stack; what was downloaded stays
STATE := $(or $(LOCAL_STATE_DIR),.local)
clean: stop
	@[ ! -d "$(STATE)" ] || { cd "$(STATE)" && rm -rf airflow archive checkpoints data health log producer run tmp work secrets.json; }
