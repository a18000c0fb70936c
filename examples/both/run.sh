#!/usr/bin/env bash
# Runs two simulated platforms and Lockstep between them, all on this machine; Ctrl-C ends all. What it keeps is in ./site.
set -euo pipefail
cd "$(dirname "$0")"
lockstep=${LOCKSTEP:-lockstep}
command -v "$lockstep" >/dev/null || { echo "$lockstep is not there: cargo install --path . or LOCKSTEP=PATH" >&2; exit 1; }

# The simulators' own: they open nothing else.
export LOCKSTEP_SALESFORCE_PASSWORD='simulated password/+SIMULATEDTOKEN0001'
export LOCKSTEP_SALESFORCE_CLIENT_SECRET=SIMULATEDCLIENTSECRET0001
export LOCKSTEP_CXONE_ACCESS_KEY_SECRET='SIMULATEDACCESSKEYSECRET===='
export LOCKSTEP_CXONE_CLIENT_SECRET='simulated client secret/+'

mkdir -p site
if [ ! -f site/bridge.key ]; then
    (umask 077 && openssl genrsa -out site/bridge.key 2048 2>/dev/null)
    openssl rsa -in site/bridge.key -pubout -out site/bridge.pem 2>/dev/null
fi
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null' EXIT
"$lockstep" simulate cxone --agents 100 >site/cxone.txt &
"$lockstep" simulate salesforce --users 100 --bridge-key site/bridge.key --bridge http://127.0.0.1:8470 --consoles 100 \
    >site/salesforce.txt &
for _ in $(seq 50); do
    if [ -s site/cxone.txt ] && [ -s site/salesforce.txt ]; then break; fi
    sleep 0.1
done
if [ ! -d site/data ]; then
    at=(--data site/data --config lockstep.toml)
    "$lockstep" topics create "${at[@]}" >/dev/null
    "$lockstep" directory refresh "${at[@]}" --reason 'who and what there is'
    "$lockstep" rules apply rules.toml --activate "${at[@]}" --reason 'to begin with' 2>site/rules.txt
fi
cat <<'TOLD'
Agents act by themselves on both sides. To see more, in another terminal:
  curl -s localhost:9464/metrics | grep by_standing        # how many are in step
  curl -s localhost:8404/consoles                          # what their browsers do
  curl -X POST localhost:8404/users/0055g0000000001/status -d '{"status": "Lunch"}'
  curl -s localhost:8402/agents/293001                     # and in CXone, if he is logged in there
TOLD
"$lockstep" run --data site/data --config lockstep.toml
