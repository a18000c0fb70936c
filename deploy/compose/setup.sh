#!/bin/sh
# Makes the topics, reads who is who from both platforms, and puts rules into force where none are. May run again at any time.
set -eu
config=/etc/lockstep/lockstep.toml
lockstep topics create --config "$config"
lockstep directory refresh --config "$config" --actor compose --reason 'who and what there is'
if ! lockstep rules list --config "$config" | grep -q '^activation '; then
    lockstep rules apply /etc/lockstep/rules.toml --activate --config "$config" --actor compose --reason 'to begin with'
fi
