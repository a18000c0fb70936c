# shellcheck shell=bash
# For scripts/kafka: what a run is made of, its jars, ports, certificates and files.
# shellcheck disable=SC2034,SC2154 # what scripts/kafka sets, and reads

readonly java_needed=17
# Below what Linux gives to outgoing connections, in blocks that only one run uses: two runs rarely meet.
readonly port_first=10000 port_blocks=1400 ports_a_block=16 ports_a_node=5

# --- what it runs on

java_bin() { echo "${JAVA_HOME:+$JAVA_HOME/bin/}java"; }

check_tools() {
    local tool found
    for tool in "$(java_bin)" mvn openssl setsid flock timeout; do
        command -v "$tool" >/dev/null || die "there is no $tool here: scripts/setup installs what is missing"
    done
    java_version=$("$(java_bin)" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p')
    found=${java_version%%.*}
    [[ "$found" =~ ^[0-9]+$ && "$found" -ge "$java_needed" ]] ||
        die "Kafka $version needs Java $java_needed or newer, $(java_bin) is ${java_version:-unknown}:" \
            "put a newer one on PATH or name it in JAVA_HOME"
    archive="$lib/classes-$java_version.jsa"
}

# Where all jars are, there is $lib: they are fetched beside it and moved as a whole.
fetch() {
    [ ! -d "$lib" ] || [ ! -e "$archive" ] || return 0
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -n 9 || { say "another run fetches Kafka: waiting for it"; attended flock 9; }
    if [ ! -d "$lib" ]; then
        say "fetching Apache Kafka $version with Maven"
        unfinished=("$lib.part" "$cache/fetch.log")
        rm -rf "$lib.part"
        attended mvn -q -B --strict-checksums -f "$common/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$lib.part" >"$cache/fetch.log" 2>&1 </dev/null || {
            cat "$cache/fetch.log" >&2
            die "Kafka's jars could not be fetched (Maven's words are above):" \
                "Maven must reach its central repository, or a mirror that its settings name"
        }
        rm "$cache/fetch.log"
        mv -T "$lib.part" "$lib"
        unfinished=()
    fi
    [ -e "$archive" ] || archive_classes
    exec 9>&-
}

# Half of a broker's start is loading classes. A broker that ran once leaves them to all that follow.
archive_classes() {
    local dir="$cache/archive" nodes=1 secure=false measure=false proxied=false stop_s_max=60
    local broker_options=("-XX:ArchiveClassesAtExit=$dir/classes.jsa")
    say "preparing faster starts (once)"
    unfinished=("$dir")
    rm -rf "$dir"
    set_jvm
    bring_up
    end_nodes 1
    end_children
    # Without the archive all works the same, only slower: an empty one says that it was tried.
    [ -s "$dir/classes.jsa" ] || : >"$dir/classes.jsa"
    mv "$dir/classes.jsa" "$archive"
    rm -rf "$dir"
    unfinished=()
}

# Nothing is left in /tmp.
set_jvm() {
    jvm=("$(java_bin)" -XX:-UsePerfData -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$lib/*")
    [ ! -s "$archive" ] || jvm+=("-XX:SharedArchiveFile=$archive")
}
# As tests need it: quick to start, easy on two cores.
readonly jvm_quick=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC)
# What bin/kafka-server-start.sh and kafka-run-class.sh of Kafka 4.3 give a broker.
readonly jvm_to_measure=(-server -Xmx1G -Xms1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20
    -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent)

# --- how a run is made

random_hex() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
choose_ports() {
    local port
    while :; do
        port_base=$((port_first + ports_a_block * (RANDOM % port_blocks)))
        for ((port = port_base; port < port_base + ports_a_node * nodes; port++)); do
            ! port_is_taken "$port" || continue 2
        done
        return
    done
}

with_openssl() { openssl "$@" 2>>"$dir/tls/log" || die "openssl $1 failed: $(tail -n 2 "$dir/tls/log")"; }
# certificate NAME CA EXTENSION...: DIR/tls/NAME.crt and .key; a CA is one that signs itself.
certificate() {
    local name="$dir/tls/$1" ca="$dir/tls/$2" signer
    if [ "$1" = "$2" ]; then signer=(-signkey "$ca.key"); else signer=(-CA "$ca.crt" -CAkey "$ca.key"); fi
    with_openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" \
        -subj "/CN=lockstep-test-$1" -config <(printf '[req]\ndistinguished_name=dn\n[dn]\n')
    with_openssl x509 -req -in "$name.csr" -out "$name.crt" "${signer[@]}" -days 30 \
        -set_serial "0x0$(random_hex 8)" -extfile <(printf '%s\n' "${@:3}")
    rm "$name.csr"
}
certificates() {
    local ca
    mkdir "$dir/tls"
    for ca in ca other-ca; do
        certificate "$ca" "$ca" 'subjectKeyIdentifier=hash' 'basicConstraints=critical,CA:true' \
            'keyUsage=critical,keyCertSign,cRLSign'
        certificate "${ca%ca}client" "$ca" 'extendedKeyUsage=clientAuth'
    done
    certificate broker ca 'subjectAltName=IP:127.0.0.1,DNS:localhost' 'extendedKeyUsage=serverAuth'
    cat "$dir/tls/broker.key" "$dir/tls/broker.crt" >"$dir/tls/broker.pem"
}

properties() { # of node $1
    local base=$((port_base + ports_a_node * ($1 - 1))) names=(PLAINTEXT) listeners='' advertised voters='' in_sync=1 i
    ! $secure || names+=(SSL MTLS SASL_SSL)
    [ "$nodes" -eq 1 ] || in_sync=2
    for i in "${!names[@]}"; do listeners+="${listeners:+,}${names[i]}://127.0.0.1:$((base + i + 1))"; done
    advertised=$listeners
    if $proxied; then
        advertised+=",PROXIED://127.0.0.1:$(proxy_of "$1")"
        listeners+=",PROXIED://127.0.0.1:$((base + ports_a_node - 2))"
    fi
    for ((i = 1; i <= nodes; i++)); do
        voters+="${voters:+,}$i@127.0.0.1:$((port_base + ports_a_node * (i - 1)))"
    done
    cat "$common/server.properties"
    $measure || cat "$common/hasty.properties"
    cat <<PROPERTIES

node.id=$1
controller.quorum.voters=$voters
listeners=CONTROLLER://127.0.0.1:$base,$listeners
advertised.listeners=$advertised
log.dirs=$dir/node-$1/data
default.replication.factor=$nodes
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$nodes
transaction.state.log.replication.factor=$nodes
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$nodes
share.coordinator.state.topic.min.isr=$in_sync
PROPERTIES
    ! $secure || cat <<PROPERTIES

ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.crt
listener.name.ssl.ssl.client.auth=requested
listener.name.mtls.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$user="$password";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
PROPERTIES
}

# Where the proxy of node $1 listens.
proxy_of() { echo $((port_base + ports_a_node * $1 - 1)); }

environment() {
    local n proxies=''
    for ((n = 1; n <= nodes; n++)); do proxies+="${proxies:+,}127.0.0.1:$(proxy_of "$n")"; done
    tell KAFKA_DIR "$dir"
    tell KAFKA_LIB "$lib"
    tell KAFKA_BOOTSTRAP_SERVERS "$(addresses PLAINTEXT)"
    if $proxied; then
        tell KAFKA_PROXIED "$(addresses PROXIED)"
        tell KAFKA_PROXY "$proxies"
    fi
    $secure || return 0
    tell KAFKA_SSL_BOOTSTRAP_SERVERS "$(addresses SSL)"
    tell KAFKA_MTLS_BOOTSTRAP_SERVERS "$(addresses MTLS)"
    tell KAFKA_SASL_BOOTSTRAP_SERVERS "$(addresses SASL_SSL)"
    tell KAFKA_CA "$dir/tls/ca.crt"
    tell KAFKA_CLIENT_CERT "$dir/tls/client.crt"
    tell KAFKA_CLIENT_KEY "$dir/tls/client.key"
    tell KAFKA_OTHER_CA "$dir/tls/other-ca.crt"
    tell KAFKA_OTHER_CLIENT_CERT "$dir/tls/other-client.crt"
    tell KAFKA_OTHER_CLIENT_KEY "$dir/tls/other-client.key"
    tell KAFKA_USER "$user"
    tell KAFKA_PASSWORD "$password"
}
# Quoted only where a shell needs it: what is no shell reads this file too.
tell() { if [[ "$2" =~ ^[A-Za-z0-9._/,:@+-]+$ ]]; then echo "$1=$2"; else printf '%s=%q\n' "$1" "$2"; fi; }

lay_out() {
    local n user=lockstep password scram=() formats=()
    password=$(random_hex 16)
    mkdir -p "$dir"
    chmod 700 "$dir"
    head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=\n' >"$dir/cluster-id"
    ! $measure || : >"$dir/to-measure"
    ! $secure || certificates
    for ((n = 1; n <= nodes; n++)); do
        mkdir -p "$dir/node-$n/tmp"
        properties "$n" >"$dir/node-$n/server.properties"
    done
    environment >"$dir/env"
    ! $secure || scram=(--add-scram "SCRAM-SHA-256=[name=$user,password=$password]"
        --add-scram "SCRAM-SHA-512=[name=$user,password=$password]")
    for ((n = 1; n <= nodes; n++)); do
        "${jvm[@]}" "${jvm_quick[@]}" kafka.tools.StorageTool format -t "$(cat "$dir/cluster-id")" \
            -c "$dir/node-$n/server.properties" "${scram[@]}" >>"$dir/node-$n/log" 2>&1 </dev/null &
        formats+=($!)
    done
    for ((n = 1; n <= nodes; n++)); do
        wait "${formats[n - 1]}" || {
            last_words "$n"
            die "Kafka could not format $dir/node-$n: its last words are above"
        }
        rm "$dir/node-$n/log"
    done
}

