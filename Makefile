# Two commands do all set-up: `make demo` and `make test`. What is missing is installed, a Docker daemon is started if
# none answers; docker/setup.sh says each thing it does.

.PHONY: demo test lint statement

# A study through a node, with what came back. DATA=DIR sends your own DICOM files instead of a head phantom.
demo:
	@docker/setup.sh demo
	@docker/buckets/build.sh t1-volumes
	@cargo build --quiet --bins --example demo
	@cargo run --quiet --example demo -- $(if $(DATA),--data "$(DATA)")

# Everything, against real peers: dcmtk, pynetdicom, Orthanc, Docker.
test:
	@docker/setup.sh test
	cargo test

# What a reviewer should not have to say.
lint:
	cargo fmt --all -- --check
	cargo clippy --all-targets -- -D warnings

# conformance/STATEMENT.md anew, from what the program runs with; a test compares them.
statement:
	MAGICKBOX_BLESS=1 cargo test --quiet --test conformance ps3_2::statement::the_file
