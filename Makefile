# The two commands of the README: `make demo` runs the main job, `make test` passes the tests. Both first install what
# the build links with (libz3, pkg-config) where it is missing, and say so.

CARGO ?= cargo
PYTHON ?= python3
# Set to `--features vendored-z3` to build Z3 from source where no package manager is at hand.
FEATURES ?=

.PHONY: demo test build setup lint networks

demo: build
	@echo "== a recurrent network that this project trained: a counter that saturates =="
	@target/release/ventris decipher benchmarks/networks/saturating_counter --out out/saturating_counter
	@echo
	@echo "== an attention network that this project built from a program: is a letter the same as the first one? =="
	@target/release/ventris decipher benchmarks/networks/same_as_first --out out/same_as_first
	@echo
	@echo "Written to out/: program.dsl, program.py, hypothesis.json, result.json and proof.json of each."

test: setup
	$(CARGO) test --workspace $(FEATURES)

build: setup
	$(CARGO) build --release -p ventris $(FEATURES)

# Makes the shipped networks again, from their seeds.
networks: setup
	$(CARGO) run -p bench --example make_networks -- benchmarks/networks

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

setup:
ifeq ($(FEATURES),)
	@sh ./setup.sh
endif
