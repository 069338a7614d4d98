# The commands of this project. Each installs what it needs, or says what is missing.
#   make          builds target/release/presence_b2b.so and target/release/b2b-top
#   make setup    installs what the build and the tests need from Debian
#   make test     runs all tests; ends with "N passed, N failed"
#   make lint     what must hold of the sources before they are merged: format, clippy, links between the comments
#   make search   after a change of the state machine: tries more courses of a subscription than the tests do (MISHAPS=4: still more)
#   make chaos    kills busy servers, and their databases stop, hang, are full or cut off: nothing may be lost (ONLY=kill: one of them);
#                 and kills single processes at 300 random moments: each server has to end in time (MOMENTS=1000: more moments)
#   make fuzz     looks for input that breaks a reader of bodies (TARGETS=presence: one of them; TIME=60: seconds for each)
#   make demo     shows the main job: presence states arrive inside Kamailio, also after kill -9, and local lamps follow calls at a remote PBX
#                 (KEEP=1: then leaves the servers running, and says what to try)
#   make bench    measures (QUICK=1: less of everything; ONLY=P1,P5: some measurements)
#   make install  copies the module to the server's module folder, b2b-top to BINDIR, the headers for C modules to INCLUDEDIR, and the tables to DATADIR (below DESTDIR, if set)
#   make deb      the module as a Debian package for the installed Kamailio, into target/deb (DIR=...: somewhere else)
#   make test-deb installs, starts, upgrades and removes that package in a Debian of its own; needs root
#   make test-matrix  runs all tests on Debian 12, Debian 13 and Debian unstable, each in a folder of its own; needs root
#   make docbook  the pages as DocBook and README in the form of Kamailio's own tree, into target/docbook (DIR=...: somewhere else)
#   make clean    removes what was built
#   make help     prints this list

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

# A cargo installed by rustup is not in everybody's path.
export PATH := $(PATH):$(HOME)/.cargo/bin
CARGO ?= cargo
BINDIR ?= /usr/bin
INCLUDEDIR ?= /usr/include/kamailio
# Where kamdbctl looks for the tables of modules.
DATADIR ?= /usr/share/kamailio
MODULE := target/release/presence_b2b.so
TOP := target/release/b2b-top
# The same with locks that measure themselves, for the benchmark.
METERED := target/release/presence_b2b_metered.so

.PHONY: build metered setup install test lint search chaos fuzz demo bench deb test-deb test-matrix docbook clean help

build:
	@.ci/setup --check
	@kamailio-headers/fetch >/dev/null
	@$(CARGO) build --release 2> >(grep -v '^ *Finished ' >&2 || true)
	@# Replaced by renaming: a running server keeps the file it has mapped.
	@cmp -s target/release/libpresence_b2b.so $(MODULE) || \
		{ cp target/release/libpresence_b2b.so $(MODULE).new && mv $(MODULE).new $(MODULE); }
	@# By itself: built together, the module's crates would have the features that b2b-top needs.
	@$(CARGO) build --release --package b2b-top 2> >(grep -v '^ *Finished ' >&2 || true)

# Before the module itself, whose file in target/release cargo replaces.
metered:
	@kamailio-headers/fetch >/dev/null
	@$(CARGO) build --release --lib --features meter_locks 2> >(grep -v '^ *Finished ' >&2 || true)
	@cp target/release/libpresence_b2b.so $(METERED)

setup:
	@.ci/setup

# Copies what was built, stripped, so that `sudo make install` needs no cargo; the symbols stay beside the built module.
install:
	@[ -f $(MODULE) ] || { echo "$(MODULE) is missing: run 'make' first, as the user who builds." >&2; exit 1; }
	@dir=$${KAMAILIO_MODULES:-$$($${KAMAILIO_BIN:-kamailio} -I | sed -n 's/^ *Default paths to modules: *//p' | cut -d: -f1)}; \
	[ -n "$$dir" ] || { echo "The server's module folder is unknown: set KAMAILIO_MODULES to it." >&2; exit 1; }; \
	install -D -m 644 -s $(MODULE) "$(DESTDIR)$$dir/presence_b2b.so" && echo "$(DESTDIR)$$dir/presence_b2b.so"
	@[ ! -f $(TOP) ] || { install -D -m 755 -s $(TOP) "$(DESTDIR)$(BINDIR)/b2b-top" && echo "$(DESTDIR)$(BINDIR)/b2b-top"; }
	@for header in presence_b2b_api.h presence_b2b_documents.h; do \
		install -D -m 644 "cshim/$$header" "$(DESTDIR)$(INCLUDEDIR)/$$header" && echo "$(DESTDIR)$(INCLUDEDIR)/$$header" || exit 1; \
	done
	@cd docs/schema; for file in */*.sql dbtext/kamailio/*; do \
		install -D -m 644 "$$file" "$(DESTDIR)$(DATADIR)/$$file" && echo "$(DESTDIR)$(DATADIR)/$$file" || exit 1; \
	done

# The tests mostly wait for something: four of them at a time for each processor.
test: setup build
	@RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((4 * $$(nproc)))} PRESENCE_B2B_SO="$(CURDIR)/$(MODULE)" .ci/summary $(CARGO) test --workspace --no-fail-fast

# Debian's own toolchain comes without some of these programs.
lint:
	@kamailio-headers/fetch >/dev/null
	@if $(CARGO) fmt --version >/dev/null 2>&1; then $(CARGO) fmt --all --check; fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
		$(CARGO) clippy --quiet --all-targets -- -D warnings && \
		$(CARGO) clippy --quiet --all-targets --features meter_locks -- -D warnings && \
		$(CARGO) clippy --quiet --all-targets --package b2b-top -- -D warnings; \
	fi
	@if rustdoc --version >/dev/null 2>&1; then RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --no-deps --document-private-items --workspace; fi

# Without the server and optimised: minutes, and some GB of memory. MISHAPS is how many things may go wrong in one life.
search:
	@kamailio-headers/fetch >/dev/null
	@PRESENCE_B2B_MISHAPS=$(or $(MISHAPS),3) $(CARGO) test --release --lib -- subscription::tests::model --nocapture

# Less than twenty minutes. The tests have a short form of each part. All parts run, and one that fails is an error in the end.
chaos: setup build
	@$(CARGO) build --release --example chaos 2> >(grep -v '^ *Finished ' >&2 || true)
	@status=0; \
	if [ -z "$(ONLY)" ]; then \
		PRESENCE_B2B_SCHEDULES=1000000 $(CARGO) test --release --lib -- store:: --nocapture || status=1; \
		PRESENCE_B2B_MOMENTS=$(or $(MOMENTS),300) PRESENCE_B2B_SO="$(CURDIR)/$(MODULE)" $(CARGO) test --test integration -- chaos:: --nocapture || status=1; \
	fi; \
	PRESENCE_B2B_SO="$(CURDIR)/$(MODULE)" target/release/examples/chaos $(ONLY) || status=1; \
	exit $$status

# With a nightly toolchain. What it finds goes to target/fuzz; the corpus in tests/fuzz is what `make test` mutates.
fuzz:
	@command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is missing: run 'cargo install cargo-fuzz' and 'rustup toolchain install nightly'." >&2; exit 1; }
	@for target in $(or $(TARGETS),$(basename $(notdir $(wildcard tests/fuzz/targets/*.rs)))); do \
		mkdir -p target/fuzz/$$target; \
		$(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz/build $$target target/fuzz/$$target tests/fuzz/corpus/$$target \
			-- -max_total_time=$(or $(TIME),60) -timeout=10 -artifact_prefix=target/fuzz/$$target-; \
	done

# Ctrl-C is a way to end it, not an error.
demo: setup build
	@$(CARGO) build --release --example demo 2> >(grep -v '^ *Finished ' >&2 || true)
	@PRESENCE_B2B_SO="$(CURDIR)/$(MODULE)" KEEP="$(KEEP)" target/release/examples/demo || { status=$$?; [ $$status = 130 ] || exit $$status; }
	@.ci/setup --undo

bench: setup metered build
	@$(CARGO) build --release --example bench --example bodies 2> >(grep -v '^ *Finished ' >&2 || true)
	@PRESENCE_B2B_SO="$(CURDIR)/$(MODULE)" PRESENCE_B2B_METERED_SO="$(CURDIR)/$(METERED)" QUICK="$(QUICK)" ONLY="$(ONLY)" ROWS="$(ROWS)" DATABASE="$(DATABASE)" target/release/examples/bench

# Needs no root rights: what belongs to root in it is written so.
deb: build
	@build/deb/make "$(or $(DIR),target/deb)"

# What `make test` does without root rights, and what apt and dpkg make of the package.
test-deb: deb
	@build/deb/test

# 40 minutes on two processors. DEBIAN=trixie: one of them; FILTER=...: some of the tests; MATRIX_DIR: where the folders are.
test-matrix:
	@build/matrix/run

# Checked against the DTD; the README is what the stylesheets of Kamailio's tree make of it.
docbook: setup
	@kamailio-headers/fetch >/dev/null
	@$(CARGO) run --quiet --example docbook -- "$(or $(DIR),target/docbook)"

clean:
	@$(CARGO) clean

help:
	@sed -n '/^$$/q; s/^# \?//p' $(firstword $(MAKEFILE_LIST))
