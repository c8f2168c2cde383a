# trademesh: the two commands are `make run` and `make test`.

ARGS ?=
BINARY := target/release/trademesh
SHIPPED := target/dist/trademesh

.PHONY: run build dist test tools lint bench

run: ## build, and start the simulated exchange with the platform trading on it
	cargo build --release --locked -p trademesh
	$(BINARY) up $(ARGS)

build: ## the optimised binary alone
	cargo build --release --locked -p trademesh

dist: ## the binary to ship, which takes longer to build: optimised over all crates
	cargo build --profile dist --locked -p trademesh

test: ## install what the tests need, then run all of them, of every crate
	bash .ci/test

tools: ## install what the tests and checks need
	bash .ci/tools

lint: ## formatting, clippy, licences, protos
	bash .ci/lint

bench: dist ## measure the binary to ship, and print a table with the machine
	TRADEMESH_BINARY=$(SHIPPED) cargo run --profile dist --locked -p bench -- $(ARGS)
