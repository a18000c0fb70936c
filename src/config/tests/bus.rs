//! The Kafka cluster: replicas, TLS, the user, and properties of librdkafka.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A folder of files, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lockstep-bus-{test}-{}", std::process::id()));
        fs::create_dir_all(path.join("folder")).unwrap();
        for (file, mode) in [("ca.pem", 0o644), ("own.pem", 0o644), ("own.key", 0o600), ("open.key", 0o640)] {
            fs::write(path.join(file), CANARY).unwrap();
            fs::set_permissions(path.join(file), Permissions::from_mode(mode)).unwrap();
        }
        Folder(path)
    }

    /// Reads lines of `[bus]`, taking files from here.
    fn read(&self, lines: &str) -> (Option<Config>, Vec<String>) {
        read_in(&self.0, &format!("[bus]\n{lines}\n"))
    }

    /// The same for lines that are good, without a warning.
    fn bus(&self, lines: &str) -> Bus {
        let (config, told) = self.read(lines);
        assert_eq!(told, Vec::<String>::new(), "{lines}");
        config.unwrap().bus
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const REMOTE: &str = "bootstrap_servers = [\"127.0.0.1:9092\", \"kafka-1:9092\"]";
const SECRET: &str = "{ secret_env = \"A\" }";

#[test]
fn replicas_have_defaults_that_fit() {
    let folder = Folder::new("replicas");
    let cases = [
        ("", 3, 2),
        ("replication_factor = 1", 1, 1),
        ("replication_factor = 2", 2, 2),
        ("replication_factor = 32", 32, 2),
        ("min_insync_replicas = 1", 3, 1),
        ("min_insync_replicas = 3", 3, 3),
        ("replication_factor = 5\nmin_insync_replicas = 4", 5, 4),
    ];
    for (written, factor, in_sync) in cases {
        let bus = folder.bus(written);
        assert_eq!((bus.replication_factor, bus.min_insync_replicas), (factor, in_sync), "{written}");
    }
}

#[test]
fn tls_is_on_where_it_is_needed() {
    let folder = Folder::new("tls");
    let here = "bootstrap_servers = [\"localhost:9092\", \"127.9.9.9:1\", \"[::1]:9092\"]";
    let cases = [
        (String::new(), false),
        (here.to_owned(), false),
        (format!("{here}\nallow_plaintext = true"), false),
        (format!("{here}\nsasl_user = \"u\"\nsasl_password = {SECRET}"), false),
        (format!("{here}\ntls = true"), true),
        (format!("{here}\ntls_ca_file = \"ca.pem\""), true),
        (REMOTE.to_owned(), true),
        (format!("{REMOTE}\nallow_plaintext = true"), true),
        (format!("{REMOTE}\nallow_plaintext = true\ntls = false"), false),
        ("bootstrap_servers = [\"127.0.0.1.example.com:9092\"]".to_owned(), true),
        ("bootstrap_servers = [\"localhost.example.com:9092\"]".to_owned(), true),
        ("bootstrap_servers = [\"[::2]:9092\"]".to_owned(), true),
    ];
    for (written, on) in cases {
        assert_eq!(folder.bus(&written).tls.is_some(), on, "{written}");
    }
}

#[test]
fn files_are_taken_from_the_folder_of_the_configuration() {
    let folder = Folder::new("files");
    let written = format!(
        "tls_ca_file = \"ca.pem\"\ntls_certificate_file = \"own.pem\"\ntls_key_file = \"own.key\"\ntls_key_password = {SECRET}"
    );
    let tls = folder.bus(&written).tls.unwrap();
    let client = tls.client.unwrap();
    assert_eq!(tls.ca_file.unwrap(), folder.0.join("ca.pem"));
    assert_eq!(client.certificate_file, folder.0.join("own.pem"));
    assert_eq!(client.key_file, folder.0.join("own.key"));
    assert_eq!(client.key_password.unwrap().expose(), CANARY);
}

#[test]
fn the_mechanism_is_scram_unless_another_is_named() {
    let folder = Folder::new("sasl");
    let user = format!("{REMOTE}\nsasl_user = \"u\"\nsasl_password = {SECRET}\n");
    let sasl = folder.bus(&user).sasl.unwrap();
    assert_eq!((sasl.user.as_str(), sasl.mechanism), ("u", SaslMechanism::ScramSha512));
    assert_eq!(sasl.password.expose(), CANARY);
    for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let sasl = folder.bus(&format!("{user}sasl_mechanism = \"{name}\"")).sasl.unwrap();
        assert_eq!(sasl.mechanism.as_str(), name);
    }
}

#[test]
fn what_others_can_read_is_a_warning() {
    let folder = Folder::new("warnings");
    let user = format!("sasl_user = \"u\"\nsasl_password = {SECRET}");
    let plaintext = format!("{REMOTE}\ntls = false\nallow_plaintext = true\n{user}");
    let cases = [
        (
            "tls_certificate_file = \"own.pem\"\ntls_key_file = \"open.key\"".to_owned(),
            Some("3 warning: other users"),
        ),
        (format!("sasl_mechanism = \"PLAIN\"\n{plaintext}"), Some("2 warning: with PLAIN and without TLS")),
        (format!("sasl_mechanism = \"SCRAM-SHA-256\"\n{plaintext}"), None),
        (plaintext, None),
        (format!("sasl_mechanism = \"PLAIN\"\n{user}"), None),
        (format!("sasl_mechanism = \"PLAIN\"\n{REMOTE}\n{user}"), None),
    ];
    for (written, warning) in cases {
        let (config, told) = folder.read(&written);
        assert!(config.is_some(), "{written}: {told:?}");
        assert_eq!(told.len(), usize::from(warning.is_some()), "{written}: {told:?}");
        assert!(warning.is_none_or(|warning| told[0].starts_with(warning)), "{written}: {told:?}");
    }
}

#[test]
fn each_key_of_the_cluster_wrong_in_turn() {
    let folder = Folder::new("wrong");
    let remote_without = format!("{REMOTE}\ntls = false");
    // (what is written, the line, a part of the message, a part of the mend)
    let cases = [
        ("bootstrap_servers = [\"a,b:1\"]", 2, "not a broker's address", "HOST:PORT"),
        ("replication_factor = 0", 2, "`replication_factor` is out of range", "1 to 32; 3"),
        ("replication_factor = 33", 2, "`replication_factor` is out of range", "1 to 32"),
        ("min_insync_replicas = 0", 2, "`min_insync_replicas` is out of range", "2 if unsure"),
        (
            "min_insync_replicas = 4",
            2,
            "`min_insync_replicas` is greater than `replication_factor`",
            "1 to 3",
        ),
        ("replication_factor = 1\nmin_insync_replicas = 2", 3, "than `replication_factor`", "1 to 1; 1 if"),
        ("tls = \"yes\"", 2, "expected true or false", "without quotes"),
        (&remote_without, 3, "`tls` is false, and a broker is on another machine", "allow_plaintext = true"),
        ("tls = false\ntls_ca_file = \"ca.pem\"", 3, "`tls_ca_file` is for TLS", "tls = true"),
        (
            "tls = false\ntls_certificate_file = \"own.pem\"\ntls_key_file = \"own.key\"",
            4,
            "`tls_key_file` is for TLS",
            "tls = true",
        ),
        ("tls_ca_file = 1", 2, "expected a text in quotes", ""),
        ("tls_ca_file = \" \"", 2, "`tls_ca_file` is empty", "delete"),
        (
            "tls_ca_file = \"canary-5f1e-hunter2\"",
            2,
            "the file that `tls_ca_file` names: No such",
            "may read",
        ),
        ("tls_ca_file = \"folder\"", 2, "what `tls_ca_file` names is not a file", "may read"),
        ("tls_ca_file = \"a\\u0000b\"", 2, "`tls_ca_file` has a character that nobody sees", "by hand"),
        ("tls_certificate_file = \"own.pem\"", 2, "`tls_key_file` is missing", "tls_key_file ="),
        ("tls_key_file = \"own.key\"", 2, "`tls_certificate_file` is missing", "tls_certificate_file ="),
        ("tls_key_password = { secret_env = \"A\" }", 2, "`tls_key_file` is missing", "tls_key_file ="),
        ("tls_key_password = \"canary-5f1e-hunter2\"", 2, "never the secret itself", ""),
        (
            "tls_certificate_file = \"own.pem\"\ntls_key_file = \"own.key\"\ntls_key_password = { secret_env = \"UNSET\" }",
            4,
            "is not set",
            "export it",
        ),
        ("sasl_mechanism = \"canary-5f1e-hunter2\"", 2, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", ""),
        ("sasl_mechanism = \"scram-sha-256\"", 2, "expected one of", "\"SCRAM-SHA-256\""),
        ("sasl_mechanism = \"PLAIN\"", 2, "`sasl_user` is missing", "sasl_user ="),
        ("sasl_user = \"u\"", 2, "`sasl_password` is missing", "sasl_password = {"),
        ("sasl_user = \" \"", 2, "`sasl_user` is empty", "delete"),
        ("sasl_password = { secret_env = \"A\" }", 2, "`sasl_user` is missing", "sasl_user ="),
        ("sasl_user = \"u\"\nsasl_password = \"canary-5f1e-hunter2\"", 3, "never the secret itself", ""),
        ("sasl_user = \"u\"\nsasl_password = { secret_env = \"EMPTY\" }", 3, "is empty", "nothing else"),
        ("librdkafka = 1", 2, "expected a table", "section"),
        ("librdkafka.debug = [\"canary-5f1e-hunter2\"]", 2, "expected a text in quotes, a whole number", ""),
        ("librdkafka.debug = 1.5", 2, "found a fraction", ""),
        ("librdkafka.debug = {}", 2, "`\"debug\"` does not say where", "\"debug\" = { secret_file"),
        ("librdkafka.socket.keepalive.enable = true", 2, "\"socket\" is a table", "in quotes"),
        ("librdkafka.debug = { secret_env = \"A\", x = 1 }", 2, "\"debug\" is a table", "{ secret_file"),
        ("librdkafka.debug = { secret_file = 1 }", 2, "expected a text in quotes", ""),
        ("librdkafka.debug = { secret_env = \"UNSET\" }", 2, "is not set", "export it"),
    ];
    for (written, line, what, mend) in cases {
        let (config, told) = folder.read(written);
        assert!(config.is_none(), "{written} was taken");
        let hit = told.iter().any(|t| {
            t.starts_with(&format!("{line} error"))
                && t.contains(what)
                && t.rsplit(" -> ").next().unwrap().contains(mend)
        });
        assert!(hit, "{written}: {told:#?}");
        assert!(!told.iter().any(|t| t.contains(CANARY)), "{told:?}");
    }
}

/// One mistake is told once, at the key that has it.
#[test]
fn one_mistake_has_no_others_in_its_wake() {
    let folder = Folder::new("wake");
    let cases = [
        "replication_factor = \"three\"\nmin_insync_replicas = 4",
        "bootstrap_servers = [\"kafka\", \"kafka-1:9092\"]\ntls = false",
        "tls_certificate_file = 1\ntls_key_file = \"own.key\"",
        "sasl_user = 1\nsasl_password = { secret_env = \"A\" }\nsasl_mechanism = \"PLAIN\"",
        "librdkafka.acks = { secret_env = \"UNSET\" }",
    ];
    for written in cases {
        let (config, told) = folder.read(written);
        assert!(config.is_none() && told.len() == 1, "{written}: {told:#?}");
    }
}

#[test]
fn what_lockstep_rests_on_is_no_property() {
    let folder = Folder::new("refused");
    let cases = [
        ("bootstrap.servers", "key of its own", "bootstrap_servers = ["),
        ("metadata.broker.list", "key of its own", "bootstrap_servers = ["),
        ("security.protocol", "key of its own", "tls = true"),
        ("sasl.mechanism", "key of its own", "sasl_mechanism ="),
        ("sasl.mechanisms", "key of its own", "sasl_mechanism ="),
        ("sasl.username", "key of its own", "sasl_user ="),
        ("sasl.password", "key of its own", "sasl_password = {"),
        ("ssl.ca.location", "key of its own", "tls_ca_file ="),
        ("ssl.certificate.location", "key of its own", "tls_certificate_file ="),
        ("ssl.key.location", "key of its own", "tls_key_file ="),
        ("ssl.key.password", "key of its own", "tls_key_password = {"),
        ("transactional.id", "written twice or lost", "delete"),
        ("transaction.timeout.ms", "written twice or lost", "delete"),
        ("enable.idempotence", "written twice or lost", "delete"),
        ("enable.gapless.guarantee", "written twice or lost", "delete"),
        ("acks", "written twice or lost", "delete"),
        ("topic.acks", "written twice or lost", "delete"),
        ("Acks ", "written twice or lost", "delete"),
        ("request.required.acks", "written twice or lost", "delete"),
        ("delivery.timeout.ms", "written twice or lost", "delete"),
        ("message.timeout.ms", "written twice or lost", "delete"),
        ("isolation.level", "written twice or lost", "delete"),
        ("max.in.flight", "order", "delete"),
        ("max.in.flight.requests.per.connection", "order", "delete"),
        ("queuing.strategy", "order", "delete"),
        ("msg_order_cmp", "order", "delete"),
        ("partitioner", "in which partition", "delete"),
        ("group.id", "which process", "delete"),
        ("group.instance.id", "which process", "delete"),
        ("group.protocol", "which process", "delete"),
        ("partition.assignment.strategy", "which process", "delete"),
        ("session.timeout.ms", "which process", "delete"),
        ("heartbeat.interval.ms", "which process", "delete"),
        ("max.poll.interval.ms", "which process", "delete"),
        ("enable.auto.commit", "where reading goes on", "delete"),
        ("auto.commit.enable", "where reading goes on", "delete"),
        ("auto.commit.interval.ms", "where reading goes on", "delete"),
        ("enable.auto.offset.store", "where reading goes on", "delete"),
        ("offset.store.method", "where reading goes on", "delete"),
        ("auto.offset.reset", "where reading goes on", "delete"),
        ("enable.partition.eof", "reads and writes", "delete"),
        ("message.max.bytes", "reads and writes", "delete"),
        ("delivery.report.only.error", "reads and writes", "delete"),
        ("log.queue", "reads and writes", "delete"),
        ("enabled_events", "reads and writes", "delete"),
        ("interceptors", "reads and writes", "delete"),
        ("opaque", "reads and writes", "delete"),
        ("dr_msg_cb", "reads and writes", "delete"),
        ("ssl.certificate.verify_cb", "reads and writes", "delete"),
        ("plugin.library.paths", "no other code", "delete"),
        ("test.mock.num.brokers", "real one", "delete"),
    ];
    for (name, what, mend) in cases {
        for value in ["\"canary-5f1e-hunter2\"", SECRET] {
            let (config, told) = folder.read(&format!("[bus.librdkafka]\n\"{name}\" = {value}"));
            assert!(config.is_none() && told.len() == 1, "{name}: {told:?}");
            let (said, write) = told[0].split_once(" -> ").unwrap();
            assert!(said.starts_with(&format!("3 error: \"{name}\"")) && said.contains(what), "{told:?}");
            assert!(write.contains(mend) && !told[0].contains(CANARY), "{told:?}");
        }
    }
}

#[test]
fn a_secret_property_is_not_written() {
    let folder = Folder::new("secrets");
    let names = [
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.jaas.config",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "SSL.Keystore.Password",
    ];
    for name in names {
        let section = |value: &str| format!("[bus.librdkafka]\n\"{name}\" = {value}");
        let (config, told) = folder.read(&section("\"canary-5f1e-hunter2\""));
        assert!(config.is_none() && told.len() == 1 && !told[0].contains(CANARY), "{told:?}");
        assert!(told[0].contains("is a secret") && told[0].contains("\" = { secret_file"), "{told:?}");
        let bus = folder.bus(&section(SECRET));
        assert!(
            matches!(&bus.librdkafka[name], Property::Secret(secret) if secret.expose() == CANARY),
            "{bus:?}"
        );
    }
}

#[test]
fn tls_that_trusts_anybody_is_a_warning() {
    let folder = Folder::new("trust");
    let cases = [
        ("enable.ssl.certificate.verification", "false", true),
        ("enable.ssl.certificate.verification", "true", false),
        ("ssl.endpoint.identification.algorithm", "\"None\"", true),
        ("ssl.endpoint.identification.algorithm", "\"https\"", false),
    ];
    for (name, value, warns) in cases {
        let (config, told) = folder.read(&format!("[bus.librdkafka]\n\"{name}\" = {value}"));
        assert!(config.is_some(), "{told:?}");
        let warned =
            told.iter().any(|told| told.starts_with("3 warning: ") && told.contains("pass for the cluster"));
        assert_eq!(warned, warns, "{name} = {value}: {told:?}");
    }
}

#[test]
fn a_property_is_kept_as_a_text() {
    let folder = Folder::new("texts");
    let bus = folder.bus(
        "[bus.librdkafka]\n\"client.id\" = \"a\"\n\"reconnect.backoff.ms\" = 5_000\n\"socket.keepalive.enable\" = true",
    );
    let texts = bus.librdkafka.iter().map(|(name, property)| match property {
        Property::Text(text) => (name.as_str(), text.as_str()),
        Property::Secret(_) => panic!("{name} is no secret"),
    });
    let expected =
        [("client.id", "a"), ("reconnect.backoff.ms", "5000"), ("socket.keepalive.enable", "true")];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

#[test]
fn a_cluster_is_shown_without_secrets_and_resolves_to_the_same() {
    let folder = Folder::new("shown");
    let user = format!("sasl_user = \"u\"\nsasl_password = {SECRET}\nsasl_mechanism = \"SCRAM-SHA-256\"");
    let own = "tls_certificate_file = \"own.pem\"\ntls_key_file = \"own.key\"";
    let cases = [
        String::new(),
        REMOTE.to_owned(),
        format!("{REMOTE}\ntls = false\nallow_plaintext = true\n{user}"),
        format!("{REMOTE}\n{user}\nreplication_factor = 1"),
        format!("tls_ca_file = \"ca.pem\"\n{own}"),
        format!(
            "{REMOTE}\ntls_ca_file = \"ca.pem\"\n{own}\ntls_key_password = {SECRET}\n{user}\nschema_registry = \"https://r\"\n[bus.librdkafka]\n\"client.id\" = \"a\"\n\"reconnect.backoff.ms\" = 5000\n\"ssl.keystore.password\" = {SECRET}"
        ),
    ];
    for written in cases {
        let (config, told) = folder.read(&written);
        let config = config.unwrap_or_else(|| panic!("{written}: {told:?}"));
        let shown = toml::to_string(&config).unwrap();
        let outputs = [format!("{config:?}"), serde_json::to_string(&config).unwrap(), told.join("\n")];
        assert!(!shown.contains(CANARY) && !outputs.iter().any(|o| o.contains(CANARY)), "{shown}");
        let (again, told) = read(&shown);
        assert_eq!(told, Vec::<String>::new(), "{shown}");
        assert_eq!(toml::to_string(&again.unwrap()).unwrap(), shown);
    }
}

/// What the template has for a cluster on other machines is good, too.
#[test]
fn the_template_without_its_comment_signs_is_valid() {
    let folder = Folder::new("template");
    let section = TEMPLATE.split("[bus]\n").nth(1).unwrap().split("# A Salesforce org").next().unwrap();
    let sample = |line: &str| {
        let key = line.split_once(" = ").is_some_and(|(key, _)| !key.trim_matches('"').contains(' '));
        key || line.starts_with('[')
    };
    let lines = section.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if sample(rest) => rest,
        _ => line,
    });
    let written = lines.collect::<Vec<_>>().join("\n").replace("secret_file", "secret_env");
    let written = written.replace("kafka-ca", "ca").replace("kafka-client.", "own.");
    let written = written.replace(".secret\"", "\"").replace("\"kafka-client-key\"", "\"A\"");
    let written = written.replace("\"schema-registry\"", "\"A\"");
    let bus = folder.bus(&written);
    assert!(bus.tls.unwrap().client.is_some() && bus.sasl.is_some() && !bus.librdkafka.is_empty());
}
