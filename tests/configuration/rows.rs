//! What is wrong for one key and no other: contradictions, what is missing, and values that are no such thing.

/// (the key as the good configuration has it; the line in place of its own; the key at whose line it is told, or `[]` for
/// the name of the section; a part of what is told; a part of what to write instead).
pub(crate) type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// What is wrong with the cluster.
#[rustfmt::skip]
const BUS: &[Row] = &[
    ("bus.bootstrap_servers", "bootstrap_servers = []", "bus.bootstrap_servers", "`bootstrap_servers` is empty", "at least one"),
    ("bus.bootstrap_servers", "bootstrap_servers = [\"kafka-1\"]", "bus.bootstrap_servers", "an entry of `bootstrap_servers` is not a broker's address", "HOST:PORT"),
    ("bus.bootstrap_servers", "bootstrap_servers = [\"kafka-1:0\"]", "bus.bootstrap_servers", "an entry of `bootstrap_servers` is not", "HOST:PORT"),
    ("bus.bootstrap_servers", "bootstrap_servers = [\"kafka-1:65536\"]", "bus.bootstrap_servers", "an entry of `bootstrap_servers` is not", "HOST:PORT"),
    ("bus.bootstrap_servers", "bootstrap_servers = [\"kafka-1:1,kafka-2:1\"]", "bus.bootstrap_servers", "an entry of `bootstrap_servers` is not", "HOST:PORT"),
    ("bus.bootstrap_servers", "bootstrap_servers = [\"https://kafka-1:9092\"]", "bus.bootstrap_servers", "an entry of `bootstrap_servers` is not", "HOST:PORT"),
    ("bus.prefix", "prefix = \"a b\"", "bus.prefix", "`prefix` cannot begin a topic name", "1 to 100 of a-z"),
    ("bus.prefix", "prefix = \"für\"", "bus.prefix", "`prefix` cannot begin a topic name", "1 to 100 of a-z"),
    ("bus.min_insync_replicas", "min_insync_replicas = 4", "bus.min_insync_replicas", "`min_insync_replicas` is greater than `replication_factor`", "from 1 to 3; 2"),
    ("bus.replication_factor", "replication_factor = 1", "bus.min_insync_replicas", "`min_insync_replicas` is greater than `replication_factor`", "from 1 to 1"),
    ("bus.tls", "tls = false", "bus.tls", "`tls` is false, and a broker is on another machine", "tls = true, or allow_plaintext = true"),
    ("bus.tls", "tls = false", "bus.tls_ca_file", "`tls_ca_file` is for TLS, and `tls` is false", "delete the line"),
    ("bus.tls", "tls = false", "bus.tls_key_password", "`tls_key_password` is for TLS, and `tls` is false", "delete the line"),
    ("bus.tls_ca_file", "tls_ca_file = \"gone.pem\"", "bus.tls_ca_file", "cannot read the file that `tls_ca_file` names", "may read"),
    ("bus.tls_ca_file", "tls_ca_file = \"files\"", "bus.tls_ca_file", "what `tls_ca_file` names is not a file", "may read"),
    ("bus.tls_certificate_file", "tls_certificate_file = \"gone.pem\"", "bus.tls_certificate_file", "cannot read the file that `tls_certificate_file` names", "may read"),
    ("bus.tls_certificate_file", "", "bus.tls_key_file", "`tls_certificate_file` is missing", "tls_certificate_file = \"PATH\""),
    ("bus.tls_key_file", "tls_key_file = \"gone.key\"", "bus.tls_key_file", "cannot read the file that `tls_key_file` names", "may read"),
    ("bus.tls_key_file", "", "bus.tls_certificate_file", "`tls_key_file` is missing", "tls_key_file = \"PATH\""),
    ("bus.tls_key_file", "", "bus.tls_key_password", "`tls_key_file` is missing", "tls_key_file = \"PATH\""),
    ("bus.sasl_user", "", "bus.sasl_password", "`sasl_user` is missing", "sasl_user = \"NAME\""),
    ("bus.sasl_user", "", "bus.sasl_mechanism", "`sasl_user` is missing", "sasl_user = \"NAME\""),
    ("bus.sasl_password", "", "bus.sasl_user", "`sasl_password` is missing", "sasl_password = { secret_file ="),
    ("bus.schema_registry", "schema_registry = \"registry.example.com\"", "bus.schema_registry", "`schema_registry` is not an address", "https://HOST"),
    ("bus.schema_registry", "schema_registry = \"http://registry.example.com\"", "bus.schema_registry", "`schema_registry` is not encrypted", "allow_plaintext = true"),
    ("bus.schema_registry", "schema_registry = \"ftp://registry.example.com\"", "bus.schema_registry", "`schema_registry` is not an address of the web", "https://HOST"),
    ("bus.schema_registry", "schema_registry = \"https://lockstep:canary-5f1e-hunter2@registry.example.com\"", "bus.schema_registry", "`schema_registry` has a user name or password in it", "without them"),
    ("bus.schema_registry", "schema_registry = \"https://registry.example.com/?key=canary-5f1e-hunter2\"", "bus.schema_registry", "`schema_registry` has more than a host and a path", "without ? and #"),
    ("bus.schema_registry", "", "bus.schema_registry_user", "`schema_registry_user` is for a schema registry, and there is none", "schema_registry = \"https://HOST\""),
    ("bus.schema_registry", "", "bus.schema_registry_password", "`schema_registry_password` is for a schema registry, and there is none", "delete the line"),
    ("bus.schema_registry_user", "", "bus.schema_registry_password", "`schema_registry_user` is missing", "schema_registry_user = \"NAME\""),
    ("bus.schema_registry_password", "", "bus.schema_registry_user", "`schema_registry_password` is missing", "schema_registry_password = { secret_file ="),
    ("bus.librdkafka.socket.keepalive.enable", "\"acks\" = 1", "bus.librdkafka.socket.keepalive.enable", "\"acks\" is set by Lockstep", "delete the line"),
    ("bus.librdkafka.socket.keepalive.enable", "\"sasl.password\" = \"canary-5f1e-hunter2\"", "bus.librdkafka.socket.keepalive.enable", "\"sasl.password\" has a key of its own in [bus]", "sasl_password = { secret_file ="),
    ("bus.librdkafka.socket.keepalive.enable", "\"sasl.oauthbearer.client.secret\" = \"canary-5f1e-hunter2\"", "bus.librdkafka.socket.keepalive.enable", "\"sasl.oauthbearer.client.secret\" is a secret, and none stands in this file", "\"sasl.oauthbearer.client.secret\" = { secret_file ="),
    ("bus.librdkafka.socket.keepalive.enable", "socket.keepalive.enable = true", "bus.librdkafka.socket.keepalive.enable", "\"socket\" is a table", "in quotes"),
    ("bus.librdkafka.ssl.keystore.password", "\"ssl.keystore.password\" = { secret_env = \"UNSET\" }", "bus.librdkafka.ssl.keystore.password", "\"ssl.keystore.password\"`: the environment variable", "export it"),
];

/// What is wrong with an org.
#[rustfmt::skip]
const SALESFORCE: &[Row] = &[
    ("salesforce.emea.my_domain", "my_domain = \"https://acme.my.salesforce.com\"", "salesforce.emea.my_domain", "`my_domain` is not a host that ends in .my.salesforce.com", "the host alone"),
    ("salesforce.emea.my_domain", "my_domain = \"acme.lightning.force.com\"", "salesforce.emea.my_domain", "`my_domain` is not a host that ends in .my.salesforce.com", "My Domain"),
    ("salesforce.emea.my_domain", "my_domain = \".my.salesforce.com\"", "salesforce.emea.my_domain", "`my_domain` is not a host", "NAME.my.salesforce.com"),
    ("salesforce.apac.my_domain", "", "[]", "`my_domain` is missing", "my_domain = \"NAME.my.salesforce.com\""),
    ("salesforce.emea.organisation_id", "organisation_id = \"00D000000000062EAB\"", "salesforce.emea.organisation_id", "`organisation_id` is not an organisation's id: the last 3", "Company Information"),
    ("salesforce.emea.organisation_id", "organisation_id = \"005000000000062\"", "salesforce.emea.organisation_id", "begin with 00D", "Company Information"),
    ("salesforce.emea.organisation_id", "organisation_id = \"00D00000000006\"", "salesforce.emea.organisation_id", "15 or 18", "Company Information"),
    ("salesforce.apac.organisation_id", "organisation_id = \"00D000000000062EAA\"", "[]", "another section has this `organisation_id` already", "keep one of the two"),
    ("salesforce.emea.user_name", "user_name = \"sync\"", "salesforce.emea.user_name", "`user_name` has not the form of an e-mail address", "NAME@HOST"),
    ("salesforce.emea.user_name", "user_name = \"sync@example@com\"", "salesforce.emea.user_name", "`user_name` has not the form of an e-mail address", "NAME@HOST"),
    ("salesforce.emea.user_name", "user_name = \"sync @example.com\"", "salesforce.emea.user_name", "`user_name` has not the form of an e-mail address", "NAME@HOST"),
    ("salesforce.emea.user_name", "user_name = \"sync\\u200b@example.com\"", "salesforce.emea.user_name", "`user_name` has not the form of an e-mail address", "NAME@HOST"),
    ("salesforce.emea.password", "password = { secret_env = \"CANARY\" }\nprivate_key = { secret_file = \"files/private.key\" }", "[]", "`password`, `private_key` and `refresh_token_file` are different ways to log in", "keep one of them"),
    ("salesforce.apac.private_key", "private_key = { secret_file = \"files/canary.secret\" }", "salesforce.apac.private_key", "the secret for `private_key` is no private key in PEM", "-----BEGIN PRIVATE KEY-----"),
    ("salesforce.apac.private_key", "", "[]", "`client_secret` is missing", "client_secret = { secret_file ="),
    ("salesforce.trial.refresh_token_file", "", "[]", "`client_secret` is missing", "client_secret = { secret_file ="),
    ("salesforce.trial.refresh_token_file", "refresh_token_file = \"files/trial.token\"\npassword = { secret_env = \"CANARY\" }", "[]", "are different ways to log in", "keep one of them"),
    ("salesforce.emea.client_id", "client_id = \"app \"", "salesforce.emea.client_id", "`client_id` begins or ends with a blank", "delete the blank"),
    ("salesforce.emea.client_secret", "", "[]", "`client_secret` is missing", "client_secret = { secret_file ="),
    ("salesforce.emea.admin_email", "admin_email = \"admin\"", "salesforce.emea.admin_email", "`admin_email` has not the form of an e-mail address", "NAME@HOST"),
    ("salesforce.trial.login_url", "login_url = \"https://login.salesforce.com\"", "salesforce.trial.login_url", "`login_url` is for a simulator on this machine", "delete the line"),
    ("salesforce.trial.login_url", "login_url = \"http://login.example.com\"", "salesforce.trial.login_url", "`login_url` is not encrypted", "this machine only"),
    ("salesforce.trial.login_url", "login_url = \"127.0.0.1:8403\"", "salesforce.trial.login_url", "`login_url`", "https://HOST"),
    ("salesforce.emea.calls.proxy", "proxy = \"proxy.example.com\"", "salesforce.emea.calls.proxy", "`proxy` is not an address", "https://HOST"),
    ("salesforce.emea.calls.proxy", "proxy = \"socks5://proxy.example.com\"", "salesforce.emea.calls.proxy", "`proxy` is not an address of the web", "http://HOST"),
    ("salesforce.emea.calls.proxy", "proxy = \"http://me:canary-5f1e-hunter2@proxy.example.com\"", "salesforce.emea.calls.proxy", "`proxy` has a user name or password in it", "without them"),
    ("salesforce.emea.calls.ca_file", "ca_file = \"gone.pem\"", "salesforce.emea.calls.ca_file", "cannot read the file that `ca_file` names", "may read"),
    ("salesforce.emea.bridge.issuer", "issuer = \"lockstep\\u00ademea\"", "salesforce.emea.bridge.issuer", "`issuer` has a character that nobody sees", "by hand"),
    ("salesforce.emea.bridge.audience", "audience = \"lockstep-bridge\\n\"", "salesforce.emea.bridge.audience", "`audience` begins or ends with a blank", "delete the blank"),
    ("salesforce.emea.bridge.keys.Lockstep_Bridge", "", "[]", "`keys` has no key", "keys = { NAME_OF_THE_CERTIFICATE ="),
    ("salesforce.trial.bridge.keys", "keys = {}", "salesforce.trial.bridge.keys", "`keys` has no key", "keys = { NAME_OF_THE_CERTIFICATE ="),
    ("salesforce.trial.bridge.keys", "keys = \"canary-5f1e-hunter2\"", "salesforce.trial.bridge.keys", "`keys`: expected a table, found a text", "section"),
];

/// What is wrong with a tenant.
#[rustfmt::skip]
const CXONE: &[Row] = &[
    ("cxone.emea.issuer", "issuer = \"cxone.example.com\"", "cxone.emea.issuer", "`issuer` is not an address", "https://HOST"),
    ("cxone.emea.issuer", "issuer = \"http://cxone.example.com\"", "cxone.emea.issuer", "`issuer` is not encrypted", "this machine only"),
    ("cxone.emea.issuer", "issuer = \"https://me:canary-5f1e-hunter2@cxone.example.com\"", "cxone.emea.issuer", "`issuer` has a user name or password in it", "without them"),
    ("cxone.emea.user_name", "user_name = \" sync@example.com\"", "cxone.emea.user_name", "`user_name` begins or ends with a blank", "delete the blank"),
    ("cxone.emea.access_key_id", "access_key_id = \"KEY\\ufeff====\"", "cxone.emea.access_key_id", "`access_key_id` has a character that nobody sees", "by hand"),
    ("cxone.emea.client_id", "", "[]", "`client_id` is missing: an application has an id and a secret", "client_id = \"ID\""),
    ("cxone.emea.client_id", "area = \"na1\"", "[]", "`area` is for the access key alone", "keep the application, or the area"),
    ("cxone.emea.client_secret", "", "[]", "`client_secret` is missing: an application has an id and a secret", "client_secret = { secret_file ="),
    ("cxone.apac.area", "", "[]", "there is neither an application nor an area to log in at", "area = \"na1\""),
    ("cxone.apac.area", "area = \"na1.nice-incontact.com\"", "cxone.apac.area", "`area` is not the first part of a host name", "\"na1\""),
    ("cxone.emea.calls.proxy", "proxy = \"proxy.example.com\"", "cxone.emea.calls.proxy", "`proxy` is not an address", "https://HOST"),
    ("cxone.emea.calls.ca_file", "ca_file = \"gone.pem\"", "cxone.emea.calls.ca_file", "cannot read the file that `ca_file` names", "may read"),
];

/// What is wrong with everything else.
#[rustfmt::skip]
const REST: &[Row] = &[
    ("bridge.listen", "listen = \"8470\"", "bridge.listen", "`listen` is not an address with a port", "ADDRESS:PORT"),
    ("bridge.listen", "listen = \"localhost:8470\"", "bridge.listen", "`listen` is not an address with a port", "ADDRESS:PORT"),
    ("bridge.listen", "listen = \"0.0.0.0:65536\"", "bridge.listen", "`listen` is not an address with a port", "ADDRESS:PORT"),
    ("bridge.tls_certificate_file", "", "bridge.tls_key_file", "`tls_certificate_file` is missing", "tls_certificate_file"),
    ("bridge.tls_certificate_file", "", "bridge.listen", "nothing would be encrypted", "tls_certificate_file and tls_key_file, or \"127.0.0.1:8470\""),
    ("bridge.tls_key_file", "", "bridge.tls_certificate_file", "`tls_key_file` is missing", "tls_key_file"),
    ("bridge.origins", "origins = []", "bridge.origins", "`origins` is empty", "lightning.force.com"),
    ("bridge.origins", "", "[]", "`origins` is missing", "lightning.force.com"),
    ("bridge.origins", "origins = [\"acme.lightning.force.com\"]", "bridge.origins", "an entry of `origins` is no origin", "https://NAME"),
    ("bridge.origins", "origins = [\"https://acme.lightning.force.com/path\"]", "bridge.origins", "an entry of `origins` is no origin", "https://NAME"),
    ("bridge.origins", "origins = [\"http://acme.lightning.force.com\"]", "bridge.origins", "an entry of `origins` is no origin", "https://NAME"),
    ("bridge.origins", "origins = [\"https://*\"]", "bridge.origins", "an entry of `origins` is no origin", "https://*.HOST"),
    ("directory.link_by", "link_by = [\"email\", \"email\"]", "directory.link_by", "`link_by` has this twice", "keep one of the two"),
    ("processor.name", "name = \"processor 1\"", "processor.name", "`name` cannot be part of", "1 to 100 of a-z"),
    ("processor.name", "name = \"processor/1\"", "processor.name", "`name` cannot be part of", "1 to 100 of a-z"),
    ("ops.listen", "listen = \"9464\"", "ops.listen", "`listen` is not an address with a port", "ADDRESS:PORT"),
    ("ops.listen", "listen = \"localhost:9464\"", "ops.listen", "`listen` is not an address with a port", "ADDRESS:PORT"),
];

/// All of it.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [BUS, SALESFORCE, CXONE, REST].into_iter().flatten()
}
