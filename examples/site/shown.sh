#!/usr/bin/env bash
# What both simulated platforms show, by their own word: how many people show what in Salesforce, and what in CXone.
set -euo pipefail

salesforce=$(curl -sS localhost:8404/users | jq -r '.[] | select(.email | startswith("agent.")) | .developerName // "Offline"')
cxone=$(curl -sS localhost:8402/agents | jq -r '
    {"1001": "Break", "1017": "Lunch", "1018": "Training", "1019": "Meeting"} as $codes |
    ["LoggedOut", "Available", "Unavailable"] as $states | .[] |
    ($states[.agentStateId] // "state \(.agentStateId)") +
    if .outStateId then "/" + ($codes["\(.outStateId)"] // "\(.outStateId)") else "" end')
# The first user is the first agent, and so on.
paste <(echo "$salesforce") <(echo "$cxone") | sort | uniq -c | sort -rn |
    while read -r count one other; do printf '%5d  %-20s %s\n' "$count" "$one" "$other"; done
