#!/bin/sh
# Makes the topics, reads who is who from both platforms, and puts rules into force where none are. May run again at any time.
#   setup.sh CONFIG RULES [further arguments of each command]
set -eu
config=$1
rules=$2
shift 2
lockstep topics create --config "$config" "$@"
lockstep directory refresh --config "$config" --actor setup --reason 'who and what there is' "$@"
if ! lockstep rules list --config "$config" "$@" | grep -q '^activation '; then
    lockstep rules apply "$rules" --activate --config "$config" --actor setup --reason 'to begin with' "$@"
fi
