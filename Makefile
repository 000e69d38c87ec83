# The commands of this repository; each is a line or two, the work is done in tools/ and meson.
.DEFAULT_GOAL := help
.PHONY: help demo check build bench fuzz mutate campaign format lint install clean
DESTDIR ?=
FUZZ_SECONDS ?= 60

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## install what is missing, build, and release under visitors: rolling, broken, back, canary
	tools/install-packages build demo
	tools/demo

check: ## install what is missing, build, and pass all tests
	tools/install-packages build check
	tools/install-node-packages
	tools/check

build: ## install what is missing, and build what users run
	tools/install-packages build
	tools/build release

bench: ## measure CPU per request and per call side by side with other proxies and tools, plans, and whole releases
	tools/install-packages build bench
	tools/bench
	bench/apitest/install-peers build/peers
	bench/apitest/run.py build/release/src/cli/pourover --peers build/peers
	bench/release/plan.py build/release
	bench/release/release.mjs build/release

fuzz: ## run each fuzz target for FUZZ_SECONDS (60)
	tools/install-packages build check
	tools/fuzz $(FUZZ_SECONDS)

mutate: ## plant bugs in the release engine; the simulation has to find each
	tools/install-packages build check
	tools/mutate-release

campaign: ## the long tests, for an hour without other work
	tools/install-packages build check
	tools/install-node-packages
	tools/check --campaign

format: ## lay the C sources out as .clang-format says
	tools/lint --format

lint: ## layout, clang-tidy, arrows between rooms, style, complexity
	tools/install-packages build check
	tools/lint

install: ## install the module, the program, its man pages and completion below DESTDIR
	tools/build release
	meson install -C build/release --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove everything that was built
	rm -rf build
