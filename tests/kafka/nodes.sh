# shellcheck shell=bash
# For scripts/kafka: the nodes of a run, how they are found, asked, started and ended.
# shellcheck disable=SC2154 # what scripts/kafka and lay_out.sh set

readonly ready_s_max=120
# A node of three that ends after the others finds no quorum to tell, and waits. Worth it only for data that stays.
stop_s_max=15

# --- what a run is: DIR/cluster-id marks it as ours, DIR/to-measure as one with --measure, DIR/node-N is a node

is_run() { [ -f "$1/cluster-id" ]; }
count_nodes() { find "$dir" -mindepth 1 -maxdepth 1 -name 'node-[0-9]' | wc -l; }
with_all() { # FUNCTION ARGUMENT..., then the number of every node
    local all
    mapfile -t all < <(seq "$nodes")
    "$@" "${all[@]}"
}
port_of() { sed -n "s/^listeners=.*\b$2:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p" "$dir/node-$1/server.properties"; }
addresses() {
    local n list=
    for ((n = 1; n <= nodes; n++)); do list+="${list:+,}127.0.0.1:$(port_of "$n" "$1")"; done
    echo "$list"
}

# The process of a node, if it runs and is ours: a pid alone may by now be anybody's.
pid_of() {
    local pid
    pid=$(cat "$dir/node-$1/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    { grep -zqxF -- "$dir/node-$1/server.properties" "/proc/$pid/cmdline"; } 2>/dev/null || return 1
    echo "$pid"
}
is_paused() { grep -q '^State:.*T' "/proc/$1/status" 2>/dev/null; }
alive() {
    local n
    for n in "$@"; do ! pid_of "$n" >/dev/null || return 0; done
    return 1
}

hex() { od -An -v -tx1 | tr -d ' \n'; }
# answers PORT PORT...: whether the broker at the first port, and not a stranger there, names all the ports in its
# answer to a metadata request (version 2, no topics). An open port is not yet a broker; Kafka's own tools take long.
answers() {
    local answer cluster port
    answer=$(
        {
            exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
            printf '\0\0\0\016\0\003\0\002\0\0\0\001\377\377\0\0\0\0' >&3
            length=$(timeout 2 head -c 4 <&3 | hex)
            [ ${#length} -eq 8 ] && timeout 2 head -c $((16#$length)) <&3 | hex
        } 2>/dev/null
    ) || return 1
    cluster=$(hex <"$dir/cluster-id")
    [[ "$answer" == *"$cluster"* ]] || return 1
    for port in "$@"; do
        [[ "$answer" == *"$(printf '127.0.0.1' | hex)$(printf '%08x' "$port")"* ]] || return 1
    done
}

# --- how nodes start and end

last_words() { # N...
    local n
    for n in "$@"; do tail -n 15 "$dir/node-$n/log" | sed "s/^/node $n: /" >&2 || true; done
}

launch() {
    local n="$1" how=("${jvm_quick[@]}" -Xmx512m)
    [ "$nodes" -eq 1 ] || how=("${jvm_quick[@]}" -Xmx256m)
    [ ! -e "$dir/to-measure" ] || how=("${jvm_to_measure[@]}")
    # Its own session: Ctrl-C is for who started it. Its own directory: what the JVM drops goes with the run.
    (
        cd "$dir/node-$n" || exit
        exec setsid "${jvm[@]}" "${how[@]}" "-Djava.io.tmpdir=$dir/node-$n/tmp" "${broker_options[@]}" \
            kafka.Kafka "$dir/node-$n/server.properties" </dev/null >>log 2>&1 9>&-
    ) &
    echo $! >"$dir/node-$n/pid"
    # Until it is Java, its process looks like this script.
    until pid_of "$n" >/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
}

# await PORTS N...: until each of the nodes names PORTS. 1: it cannot be; 2: another took a port.
await() {
    local ports n deadline=$((SECONDS + ready_s_max))
    read -ra ports <<<"$1"
    shift
    for n in "$@"; do
        until answers "$(port_of "$n" PLAINTEXT)" "${ports[@]}"; do
            may_wait "$deadline" "$@" || return
            sleep 0.1
        done
    done
}
may_wait() { # DEADLINE N...
    local n
    for n in "${@:2}"; do
        ! pid_of "$n" >/dev/null || continue
        ! tail -n 30 "$dir/node-$n/log" | grep -qi 'address already in use' || return 2
        last_words "$n"
        say "node $n ended while it started: its last words are above"
        return 1
    done
    [ "$SECONDS" -ge "$1" ] || return 0
    with_all last_words
    say "no answer within $ready_s_max s (do enough nodes run for a quorum?): the nodes' last words are above"
    return 1
}
start_nodes() { # 1 and 2 as in await
    local n ports=()
    for ((n = 1; n <= nodes; n++)); do
        ports+=("$(port_of "$n" PLAINTEXT)")
        launch "$n"
    done
    with_all await "${ports[*]}"
}

signal_nodes() { # SIGNAL N...
    local n pid
    for n in "${@:2}"; do
        ! pid=$(pid_of "$n") || kill "-$1" "$pid" 2>/dev/null || true
    done
}
pause_nodes() {
    local n pid
    signal_nodes STOP "$@"
    for n in "$@"; do
        while pid=$(pid_of "$n") && ! is_paused "$pid"; do sleep 0.02; done
    done
}
end_nodes() {
    local deadline=$((SECONDS + stop_s_max))
    signal_nodes TERM "$@"
    signal_nodes CONT "$@"
    while alive "$@" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
    kill_nodes "$@"
}
kill_nodes() {
    signal_nodes KILL "$@"
    while alive "$@"; do sleep 0.05; done
}

