#!/usr/bin/env bash
# Sets a Debian machine up for the tests and runs every check and test. Safe to run again; the only command that CI runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n==> %s\n' "$*"; }

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Beside Node.js, what the tests start: a real Redis, real load balancers, a real browser, what the commands of docs/OPERATIONS.md need, and
# promtool, which is in the package of Prometheus.
# Programs and Debian packages have the same names, but for a library of Python.
missing_packages() {
  local program
  for program in redis-server haproxy nginx chromium prometheus jq curl; do
    command -v "$program" >/dev/null || printf '%s\n' "$program"
  done
  # For the example client in Python, run by Debian's own interpreter.
  /usr/bin/python3 -c 'import websockets' 2>/dev/null || printf '%s\n' python3-websockets
}

# Prints the command that runs another as root, or fails where there is none; root needs no help, hence `env`.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    printf 'env'
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    printf 'sudo -n env'
  else
    return 1
  fi
}

install_packages() {
  local root by_hand="Install what the tests need: $*."
  command -v apt-get >/dev/null || fail "$by_hand"
  by_hand="Install what the tests need: sudo apt-get install $*"
  root=$(as_root) || fail "$by_hand"
  say "Installing $*"
  # One unreachable source among several makes an update fail while the packages can still be had. $root is words.
  # shellcheck disable=SC2086
  $root apt-get update -qq </dev/null || true
  # shellcheck disable=SC2086
  $root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null || fail "$by_hand"
}

command -v npm >/dev/null || fail "Install Node.js 20 or later with npm: https://nodejs.org"

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -gt 0 ]]; then
  install_packages "${missing[@]}"
fi

say "npm ci: the locked dependencies, Node.js 24 among them"
npm ci </dev/null

say "npm run check: types, lint, format, generated files"
npm run check </dev/null

say "npm test"
npm test </dev/null
