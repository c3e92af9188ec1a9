# Two commands do all set-up: `make demo` and `make test`. What is missing is installed, a Docker daemon is started if
# none answers; docker/setup.sh says each thing it does.

.PHONY: demo test test-browser editor crash soak bench bench-scale lint fuzz statement

# A study through a node, with what came back. DATA=DIR sends your own DICOM files instead of a head phantom.
demo:
	@docker/setup.sh demo
	@docker/buckets/build.sh t1-volumes
	@cargo build --quiet --bins --example demo
	@cargo run --quiet --example demo -- $(if $(DATA),--data "$(DATA)")

# Everything, against real peers: dcmtk, pynetdicom, Orthanc, Docker.
test:
	@docker/setup.sh test
	@docker/base/build.sh
	cargo test
	cargo test --bench receiving -- --only one,sixteen,storescu,sending --objects 16 --rounds 1 --peers none,best,fsync
	cargo test --bench scale -- --jobs 1000 --instances 20000 --objects 100 --rounds 2 --starts 1

# The page of `buckets open` in Chromium, and whether what is committed of it is made of its sources. Screenshots are
# left in target/browser/shots.
test-browser:
	@docker/setup.sh browser
	@docker/buckets/build.sh t1-volumes
	@cargo build --quiet --bin buckets --example phantom
	@tests/browser/run.sh

# The page of `buckets open` anew from src/cli/buckets/open/page; needs npm.
editor:
	@src/cli/buckets/open/page/build.sh

# The node killed at every point of an object's way and at random ones, its engine killed, its power cut, its peers sick,
# its clock wrong: a few minutes, with a line for each case. `make test` has the short form.
crash:
	@docker/setup.sh test
	MAGICKBOX_CRASH=full cargo test --test crash -- --nocapture --test-threads 2

# All of it together for SECONDS: eight senders, three buckets, somebody who looks on, and a node that is killed at random
# moments in the first half of it. Then the account; MAGICKBOX_SEED=N draws the same again.
soak: SECONDS = 600
soak:
	@docker/setup.sh test
	MAGICKBOX_SOAK=$(SECONDS) cargo test --test crash soak:: -- --nocapture

# Receiving, side by side with other receivers, in under three minutes once it is built. FULL=1: as many objects as the
# published figures have. ONLY=one,large PEERS=ours,dcmtk-best ROUNDS=7 OBJECTS=1000 JSON=FILE: as you like; what there
# is says `cargo bench --bench receiving -- --help`.
bench:
	@docker/setup.sh test
	cargo bench --bench receiving -- $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers $(PEERS)) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(OBJECTS),--objects $(OBJECTS)) $(if $(JSON),--json $(abspath $(JSON)))

# A node with 10,000 jobs and 1,000,000 objects in its store, beside the same node with none.
bench-scale:
	@docker/setup.sh test
	cargo bench --bench scale

# What a reviewer should not have to say.
lint:
	cargo fmt --all -- --check
	cargo clippy --all-targets -- -D warnings

# conformance/STATEMENT.md anew, from what the program runs with; a test compares them.
statement:
	MAGICKBOX_BLESS=1 cargo test --quiet --test conformance ps3_2::statement::the_file

# Everything that reads what a peer sent, fuzzed for SECONDS each.
fuzz: SECONDS = 60
fuzz:
	@docker/setup.sh test
	conformance/fuzz/run.sh $(SECONDS)
