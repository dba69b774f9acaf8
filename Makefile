# What people run. Everything else is cargo's.

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults bench images crds fmt lint

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a bot under load sheds, keeps what matters and recovers (KEEP=1 leaves it running, PICTURE=file.svg draws it, PROCESSES=1 runs no pods)
	@scripts/demo.sh $(if $(KEEP),--keep) $(if $(PROCESSES),--processes) $(if $(PICTURE),--picture $(PICTURE))

test: ## format, lints, unit, property and end-to-end tests, a selection of faults, the demo
	@scripts/test.sh

test-faults: ## every case of a bad day: wrong, late and lost answers, broken watches, crashes (FILTER=watch/policies)
	@scripts/test-faults.sh $(FILTER)

bench: ## how fast deciding is, what many policies cost, how soon another leader acts (15 minutes after the build)
	cargo bench -p brownout --bench decide
	cargo build --release
	@scripts/images.sh
	cargo run --release -p e2e --bin bench

images: ## the images of the operator and of the bot, as target/images/*.tar
	@scripts/images.sh

crds: ## write crds/ anew from the Rust types
	cargo run --quiet -- crd --write crds

fmt: ## format the code
	cargo fmt --all

lint: ## the lints, as the tests run them
	cargo clippy --workspace --all-targets --all-features -- -D warnings
