//! `[bridge]` and `[salesforce.NAME.bridge]`: every field wrong in turn.

use super::{Config, GOOD, read};

const BRIDGE: &str = r#"
[salesforce.emea.bridge]
issuer = "org"
audience = "bridge"
keys = { Old = "old.pem", New = "new.pem" }

[bridge]
listen = "0.0.0.0:8470"
tls_certificate_file = "bridge.pem"
tls_key_file = "bridge.key"
origins = ["https://x.lightning.force.com", "https://*.vf.force.com"]
"#;

fn config(from: &str, to: &str) -> (Option<Config>, Vec<String>) {
    assert!(BRIDGE.contains(from), "{from}");
    read(&format!("{GOOD}{}", BRIDGE.replacen(from, to, 1)))
}

#[test]
fn what_is_right_is_taken() {
    let (found, told) = config("", "");
    assert_eq!(told, Vec::<String>::new());
    let found = found.unwrap();
    let bridge = found.bridge.unwrap();
    assert_eq!((bridge.connections_max, bridge.connections_per_user_max), (20_000, 8));
    assert_eq!(bridge.listen.to_string(), "0.0.0.0:8470");
    let trusted = found.salesforce.into_values().next().unwrap().bridge.unwrap();
    assert_eq!(trusted.keys.len(), 2);
    // Without a section nothing listens; with an empty one no page may come.
    assert!(read(GOOD).0.unwrap().bridge.is_none());
    let local = config(
        "listen = \"0.0.0.0:8470\"\ntls_certificate_file = \"bridge.pem\"\ntls_key_file = \"bridge.key\"\n",
        "",
    );
    assert_eq!(local.0.unwrap().bridge.unwrap().listen.to_string(), "127.0.0.1:8470");
}

#[test]
fn each_field_wrong_in_turn() {
    for (from, to, what, mend) in [
        ("issuer = \"org\"", "", "`issuer` is missing", "iss"),
        ("issuer = \"org\"", "issuer = \" \"", "`issuer` is empty", ""),
        ("audience = \"bridge\"", "", "`audience` is missing", "aud"),
        ("keys = { Old = \"old.pem\", New = \"new.pem\" }", "", "`keys` is missing", "FILE.pem"),
        ("keys = { Old = \"old.pem\", New = \"new.pem\" }", "keys = {}", "has no key", "FILE.pem"),
        ("\"old.pem\"", "\" \"", "`Old` is empty", ""),
        ("\"0.0.0.0:8470\"", "\"8470\"", "not an address with a port", "0.0.0.0:8470"),
        ("tls_key_file = \"bridge.key\"", "", "`tls_key_file` is missing", "tls_key_file"),
        ("tls_certificate_file = \"bridge.pem\"", "", "`tls_certificate_file` is missing", ""),
        (
            "tls_certificate_file = \"bridge.pem\"\ntls_key_file = \"bridge.key\"",
            "",
            "nothing would be encrypted",
            "127.0.0.1:8470",
        ),
        (
            "origins = [\"https://x.lightning.force.com\", \"https://*.vf.force.com\"]",
            "",
            "`origins` is missing",
            "lightning.force.com",
        ),
        ("\"https://*.vf.force.com\"", "\"https://*\"", "is no origin", "https://*.HOST"),
        (
            "origins = [\"https://x.lightning.force.com\", \"https://*.vf.force.com\"]",
            "origins = []",
            "no page may connect",
            "",
        ),
        ("[bridge]", "[bridge]\nconnections_max = 0", "`connections_max` is out of range", "20000"),
        ("[bridge]", "[bridge]\nconnections_per_user_max = 101", "out of range", "from 1 to 100"),
        ("[bridge]", "[bridge]\nport = 1", "unknown key \"port\"", ""),
    ] {
        let (found, told) = config(from, to);
        assert!(found.is_none(), "{to}");
        let is_told = told.iter().any(|line| {
            line.split_once(" -> ").is_some_and(|(said, mended)| said.contains(what) && mended.contains(mend))
        });
        assert!(is_told, "{to}: {told:?}");
    }
}

#[test]
fn two_orgs_have_two_issuers() {
    let org = "[salesforce.emea]";
    let first = GOOD.split("[cxone.emea]").next().unwrap();
    let other = first.replace(org, "[salesforce.apac]").replace("00D000000000062EAA", "00D000000000063EAA");
    let bridge = BRIDGE.split("[bridge]").next().unwrap().replace("emea", "apac");
    let text = format!("{GOOD}{BRIDGE}{other}{bridge}");
    let (_, told) = read(&text);
    assert!(told.iter().any(|line| line.contains("has this `issuer` and `audience` already")), "{told:?}");
}
