//! The template, and every field wrong in turn.

use std::path::Path;

use super::*;
use crate::document::Syntax;

mod bridge;
mod bus;
mod salesforce;

/// A secret that must appear in no message and no output.
const CANARY: &str = "canary-5f1e-hunter2";

const GOOD: &str = r#"
[salesforce.emea]
environment = "production"
organisation_id = "00D000000000062EAA"
user_name = "sync@example.com"
password = { secret_env = "PASSWORD" }
client_id = "app"
client_secret = { secret_env = "SECRET" }
admin_email = "admin@example.com"

[cxone.emea]
user_name = "sync@example.com"
access_key_id = "KEY===="
access_key_secret = { secret_env = "SECRET" }
area = "na1"
"#;

fn read(text: &str) -> (Option<Config>, Vec<String>) {
    read_in(Path::new("/nowhere"), text)
}

fn read_in(folder: &Path, text: &str) -> (Option<Config>, Vec<String>) {
    let document = Document::new("t", text, Syntax::Toml);
    let mut mistakes = Mistakes::new();
    let env = |name: &str| match name {
        "UNSET" => None,
        "EMPTY" => Some(" \n".into()),
        "PEM" => Some(format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n").into()),
        _ => Some(format!("{CANARY}\n").into()),
    };
    let config = Config::read(&document, &SecretStore { folder, env: &env }, &mut mistakes);
    let told = mistakes.in_order().into_iter().map(|m| {
        let (line, _) = document.positions().of(m.place);
        format!("{line} {}: {} -> {}", m.severity, m.what, m.mend.as_deref().unwrap_or_default())
    });
    let told = told.collect();
    (config, told)
}

/// The file with one line in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

/// The file with one line in place of another is refused, with this in a message at this line and in its mend.
fn is_wrong(from: &str, to: &str, line: usize, what: &str, mend: &str) {
    let (config, told) = read(&with(from, to));
    assert!(config.is_none(), "{to} was taken");
    let hit = told.iter().any(|t| {
        t.starts_with(&format!("{line} error"))
            && t.contains(what)
            && t.rsplit(" -> ").next().unwrap().contains(mend)
    });
    assert!(hit, "{to}: {told:#?}");
    assert!(!told.iter().any(|t| t.contains(CANARY)), "{told:?}");
}

#[test]
fn an_empty_file_has_defaults() {
    let (config, told) = read("");
    assert_eq!(told, Vec::<String>::new());
    let config = config.unwrap();
    assert_eq!(config.bus.bootstrap_servers, ["127.0.0.1:9092"]);
    assert_eq!((config.bus.prefix.as_str(), config.bus.partitions), ("presence", 8));
    assert_eq!(config.ops.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(
        (config.privacy.retention_days, config.privacy.dead_letter_payload),
        (30, DeadLetterPayload::Hashed)
    );
}

#[test]
fn the_template_is_valid_and_names_every_key() {
    let secrets_in_env =
        TEMPLATE.replace("secret_file", "secret_env").replace(".secret\"", "\"").replace("cxone-", "CXONE_");
    let secrets_in_env = secrets_in_env.replace("access-key\"", "KEY\"");
    let (config, told) = read(&secrets_in_env);
    assert!(config.is_some(), "{told:?}");
    let schema = serde_json::to_value(Config::schema()).unwrap();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let keys: Vec<String> =
        tables.filter_map(|t| t["properties"].as_object()).flat_map(|p| p.keys().cloned()).collect();
    assert!(keys.len() > 25, "{keys:?}");
    for key in keys {
        let named = [format!("{key} = "), format!("[{key}"), format!(".{key}]")];
        assert!(named.iter().any(|n| TEMPLATE.contains(n.as_str())), "{key} is not in the template");
    }
}

#[test]
fn every_required_key_of_the_schema_is_required() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    for (table, section) in [("Salesforce", "salesforce"), ("Cxone", "cxone")] {
        let required = schema["$defs"][table]["required"].as_array().unwrap();
        let (_, told) = read(&format!("[{section}.emea]\n"));
        for key in required {
            let key = key.as_str().unwrap();
            assert!(told.iter().any(|t| t.contains(&format!("`{key}` is missing"))), "{key}: {told:?}");
        }
        let missing = told.iter().filter(|t| t.contains("` is missing")).count();
        assert_eq!(missing, required.len(), "{told:?}");
    }
    // What serde itself would require must be said in the schema by hand, or not at all.
    assert_eq!(schema["required"], serde_json::Value::Null);
}

#[test]
fn each_field_wrong_in_turn() {
    // (what was good, what is written instead, the line, a part of the message, a part of the mend)
    let cases = [
        (
            "environment = \"production\"",
            "environment = \"prod\"",
            3,
            "expected one of production, sandbox or hyperforce",
            "\"production\"",
        ),
        ("environment = \"production\"", "", 2, "`environment` is missing", "sandbox"),
        (
            "environment = \"production\"",
            "environment = \"hyperforce\"",
            2,
            "`my_domain` is missing",
            ".my.salesforce.com",
        ),
        (
            "environment = \"production\"",
            "environment = \"sandbox\"\nmy_domain = \"https://acme.my.salesforce.com\"",
            4,
            "not a host",
            "NAME.my.salesforce.com",
        ),
        ("00D000000000062EAA", "00D000000000062EAB", 4, "do not fit", "Company Information"),
        ("00D000000000062EAA", "005000000000062", 4, "begin with 00D", "00D"),
        ("00D000000000062EAA", "", 4, "15 or 18", "00D"),
        (
            "user_name = \"sync@example.com\"\npassword",
            "user_name = \"sync\"\npassword",
            5,
            "form of an e-mail",
            "NAME@HOST",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = \"canary-5f1e-hunter2\"",
            6,
            "never the secret itself",
            "",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "pasword = \"canary-5f1e-hunter2\"",
            6,
            "unknown key \"pasword\"",
            "`password`",
        ),
        ("password = { secret_env = \"PASSWORD\" }", "", 2, "nothing to log in with", "my_domain"),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = { secret_env = \"UNSET\" }",
            6,
            "is not set",
            "export it",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = { secret_env = \"EMPTY\" }",
            6,
            "is empty",
            "nothing else",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = { secret_env = \"A\", secret_file = \"B\" }",
            6,
            "both",
            "keep one",
        ),
        ("password = { secret_env = \"PASSWORD\" }", "password = {}", 6, "does not say where", "secret_file"),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = { secret_file = \"gone\" }",
            6,
            "cannot read the file",
            "may read",
        ),
        ("client_id = \"app\"", "client_id = \" \"", 7, "`client_id` is empty", "write it"),
        ("client_secret = { secret_env = \"SECRET\" }", "", 2, "`client_secret` is missing", "secret_file"),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"a@b@c\"",
            9,
            "form of an e-mail",
            "NAME@HOST",
        ),
        ("[salesforce.emea]", "[salesforce.EMEA]", 2, "a-z, 0-9", ""),
        ("[cxone.emea]", "[cxon.emea]", 11, "unknown key \"cxon\"", "`cxone`"),
        (
            "access_key_id = \"KEY====\"",
            "access_key_id = 7",
            13,
            "expected a text in quotes, found a number",
            "",
        ),
        ("access_key_id = \"KEY====\"", "", 11, "`access_key_id` is missing", "access key"),
        ("area = \"na1\"", "", 11, "neither an application nor an area", "client_id"),
        ("area = \"na1\"", "area = \"na1.nice-incontact.com\"", 15, "first part of a host", "na1"),
        ("area = \"na1\"", "client_id = \"x\"", 11, "`client_secret` is missing", "client_secret"),
        (
            "area = \"na1\"",
            "client_id = \"x\"\nclient_secret = { secret_env = \"A\" }\narea = \"na1\"",
            11,
            "for the access key alone",
            "keep",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\nissuer = \"http://cxone.example.com\"",
            16,
            "not encrypted",
            "https://",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\npoll_interval_ms = 199",
            17,
            "`poll_interval_ms` is out of range",
            "from 200 to 60000; 2000",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nsnapshot_interval_s = 9",
            17,
            "`snapshot_interval_s` is out of range",
            "from 10 to 3600; 300",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nper_minute = 0",
            17,
            "`per_minute` is out of range",
            "from 1 to 65535; 1200",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nburst = 0",
            17,
            "`burst` is out of range",
            "; 20",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nat_once = 257",
            17,
            "`at_once` is out of range",
            "from 1 to 256; 16",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nset_timeout_ms = 5001",
            17,
            "`set_timeout_ms` is out of range",
            "from 500 to 5000; 3000",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nread_timeout_s = 121",
            17,
            "`read_timeout_s` is out of range",
            "from 1 to 120; 30",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\napi_version = 0",
            17,
            "`api_version` is out of range",
            "; 33",
        ),
        ("area = \"na1\"", "area = \"na1\"\n[cxone.emea.calls]\nset_by = \"magic\"", 17, "", ""),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nproxy = \"nowhere\"",
            17,
            "`proxy` is not an address",
            "https://HOST",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\nca_file = \" \"",
            17,
            "`ca_file` is empty",
            "delete the line",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[cxone.emea.calls]\npage_size = 1",
            17,
            "unknown key \"page_size\"",
            "",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[directory]\nrefresh_minutes = 20000",
            17,
            "`refresh_minutes` is out of range",
            "from 0 to 10080; 0",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[directory]\nlink_by = [\"email\", \"email\"]",
            17,
            "`link_by` has this twice",
            "keep one",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\nissuer = \"cxone.example.com\"",
            16,
            "not an address",
            "https://HOST",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\nissuer = \"https://a:canary-5f1e-hunter2@h\"",
            16,
            "password in it",
            "without",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\nissuer = \"https://h/?key=canary-5f1e-hunter2\"",
            16,
            "more than a host",
            "without",
        ),
        ("area = \"na1\"", "area = \"na1\"\n[bus]\nbootstrap_servers = []", 17, "is empty", "127.0.0.1:9092"),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nbootstrap_servers = [\"a:1\", \"b\"]",
            17,
            "not a broker's address",
            "HOST:PORT",
        ),
        ("area = \"na1\"", "area = \"na1\"\n[bus]\nbootstrap_servers = \"a:1\"", 17, "expected a list", ""),
        ("area = \"na1\"", "area = \"na1\"\n[bus]\nprefix = \"a b\"", 17, "topic name", "a-z"),
        ("area = \"na1\"", "area = \"na1\"\n[bus]\npartitions = 0", 17, "out of range", "1 to 1000"),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\npartitions = -1",
            17,
            "`partitions` is out of range",
            "1 to 1000",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"r\"",
            17,
            "not an address",
            "https://HOST",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"http://r\"",
            17,
            "is not encrypted",
            "allow_plaintext = true",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"ftp://r\"\nallow_plaintext = true",
            17,
            "is not an address of the web",
            "https://",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nallow_plaintext = \"yes\"",
            17,
            "expected true or false",
            "",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nallow_plaintext = true\n[cxone.apac]\nissuer = \"http://c\"",
            19,
            "is not encrypted",
            "this machine only",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://a:canary-5f1e-hunter2@r\"",
            17,
            "password in it",
            "without",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://r\"\nschema_registry_user = \"a\"",
            18,
            "`schema_registry_password` is missing",
            "schema_registry_password = {",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://r\"\nschema_registry_user = \" \"",
            18,
            "`schema_registry_user` is empty",
            "delete",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://r\"\nschema_registry_password = { secret_env = \"A\" }",
            18,
            "`schema_registry_user` is missing",
            "schema_registry_user =",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://r\"\nschema_registry_user = \"a\"\nschema_registry_password = \"canary-5f1e-hunter2\"",
            19,
            "never the secret itself",
            "",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry = \"https://r\"\nschema_registry_user = \"a\"\nschema_registry_password = { secret_env = \"UNSET\" }",
            19,
            "is not set",
            "export it",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry_user = \"a\"\nschema_registry_password = { secret_env = \"A\" }",
            17,
            "`schema_registry_user` is for a schema registry",
            "https://HOST",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[bus]\nschema_registry_user = \"a\"\nschema_registry_password = { secret_env = \"A\" }",
            18,
            "`schema_registry_password` is for a schema registry",
            "https://HOST",
        ),
        ("area = \"na1\"", "area = \"na1\"\n[privacy]\nretention_days = 0", 17, "out of range", "30"),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[privacy]\ndead_letter_payload = \"hash\"",
            17,
            "hashed, full or none",
            "hashed",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[ops]\nlisten = \"9464\"",
            17,
            "address with a port",
            "127.0.0.1:9464",
        ),
        (
            "area = \"na1\"",
            "area = \"na1\"\n[ops]\nlisten = [1]",
            17,
            "expected a text in quotes, found a list",
            "",
        ),
    ];
    for (from, to, line, what, mend) in cases {
        is_wrong(from, to, line, what, mend);
    }
}

#[test]
fn an_org_has_one_section() {
    let twice = GOOD.split("[cxone.emea]").next().unwrap();
    let (config, told) = read(&format!("{twice}{}", twice.replace("emea", "apac")));
    assert!(config.is_none() && told[0].contains("another section"), "{told:?}");
}

/// What a person puts where the name of a variable or a file belongs may be the secret.
#[test]
fn a_secret_in_the_place_of_its_origin_is_not_shown() {
    for origin in
        ["secret_env = \"canary-5f1e-hunter2\"", "secret_file = \"canary-5f1e-hunter2\"", "secret_env = \"\""]
    {
        let (config, told) = read(&with("secret_env = \"PASSWORD\"", origin));
        assert!(config.is_none() && told.len() == 1 && !told[0].contains(CANARY), "{told:?}");
    }
}

/// What an editor flags with the schema is what the reader refuses.
#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    let defs = &schema["$defs"];
    for table in defs.as_object().unwrap().values().filter(|d| d["type"] == "object").chain([&schema]) {
        assert_eq!(table["additionalProperties"], false, "{table}");
    }
    assert_eq!(defs["Bus"]["properties"]["partitions"]["maximum"], 1000);
    assert_eq!(defs["Privacy"]["properties"]["retention_days"]["minimum"], 1);
    assert_eq!(defs["Bus"]["properties"]["replication_factor"]["maximum"], 32);
    assert_eq!(defs["Property"]["anyOf"][0]["type"], serde_json::json!(["string", "integer", "boolean"]));
    assert_eq!(defs["Property"]["anyOf"][1]["$ref"], "#/$defs/Secret");
    assert_eq!(defs["Secret"]["oneOf"].as_array().unwrap().len(), 2);
}

#[test]
fn an_open_endpoint_is_a_warning() {
    let (config, told) = read("[ops]\nlisten = \"0.0.0.0:9464\"\n");
    assert!(config.is_some());
    assert!(told[0].starts_with("2 warning: metrics"), "{told:?}");
}

#[test]
fn what_is_shown_hides_secrets_and_resolves_to_the_same() {
    let (config, told) = read(GOOD);
    let config = config.unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(config.salesforce.values().next().unwrap().client_secret.as_ref().unwrap().expose(), CANARY);
    let shown = toml::to_string(&config).unwrap();
    let debug = format!("{config:?}");
    assert!(!shown.contains(CANARY) && !debug.contains(CANARY), "{shown}");
    let (again, told) = read(&shown);
    assert_eq!(told, Vec::<String>::new(), "{shown}");
    assert_eq!(toml::to_string(&again.unwrap()).unwrap(), shown);
}

#[test]
fn a_schema_registry_may_want_a_password() {
    let bus = "[bus]\nschema_registry = \"https://r\"\nschema_registry_user = \"lockstep\"\nschema_registry_password = { secret_env = \"A\" }\n";
    let (config, told) = read(bus);
    let config = config.unwrap_or_else(|| panic!("{told:?}"));
    let registry = config.bus.schema_registry.as_ref().unwrap();
    let login = registry.login.as_ref().unwrap();
    assert_eq!((registry.url.as_str(), login.user.as_str()), ("https://r/", "lockstep"));
    assert_eq!(login.password.expose(), CANARY);
    let shown = toml::to_string(&config).unwrap();
    let debug = format!("{config:?}");
    assert!(!shown.contains(CANARY) && !debug.contains(CANARY), "{shown}");
    let (again, told) = read(&shown);
    assert_eq!(told, Vec::<String>::new(), "{shown}");
    assert_eq!(toml::to_string(&again.unwrap()).unwrap(), shown);
}

#[test]
fn plaintext_is_for_this_machine_until_it_is_allowed() {
    let cases = [
        ("http://127.0.0.1:8081", false, true),
        ("http://[::1]:8081", false, true),
        ("http://localhost:8081", false, true),
        ("https://registry", false, true),
        ("http://registry", false, false),
        ("http://127.0.0.1.example.com", false, false),
        ("http://10.0.0.1", false, false),
        ("http://registry", true, true),
        ("https://registry", true, true),
    ];
    for (address, allowed, good) in cases {
        let (config, told) =
            read(&format!("[bus]\nschema_registry = \"{address}\"\nallow_plaintext = {allowed}\n"));
        assert_eq!(config.is_some(), good, "{address}, {allowed}: {told:?}");
        if let Some(config) = config {
            assert_eq!(config.bus.allow_plaintext, allowed);
        }
    }
}
