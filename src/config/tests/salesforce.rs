//! A Salesforce org: where it logs in, how, and how it is called.

use super::*;

#[test]
fn each_key_of_an_org_wrong_in_turn() {
    // (what was good, what is written instead, the line, a part of the message, a part of the mend)
    let cases = [
        (
            "password = { secret_env = \"PASSWORD\" }",
            "private_key = { secret_env = \"A\" }",
            6,
            "no private key in PEM",
            "not the certificate",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "private_key = \"canary-5f1e-hunter2\"",
            6,
            "never the secret itself",
            "",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "private_key = { secret_env = \"PEM\" }\nrefresh_token_file = \"main.token\"",
            2,
            "different ways to log in",
            "keep one",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "password = { secret_env = \"PASSWORD\" }\nprivate_key = { secret_env = \"PEM\" }",
            2,
            "different ways to log in",
            "private_key",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }",
            "refresh_token_file = \" \"",
            6,
            "`refresh_token_file` is empty",
            "delete the line",
        ),
        (
            "password = { secret_env = \"PASSWORD\" }\nclient_id = \"app\"\nclient_secret = { secret_env = \"SECRET\" }",
            "my_domain = \"acme.my.salesforce.com\"\nclient_id = \"app\"",
            2,
            "`client_secret` is missing",
            "secret_file",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\nlogin_url = \"https://login.salesforce.com\"",
            10,
            "for a simulator on this machine",
            "delete the line",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\nlogin_url = \"http://login.example.com\"",
            10,
            "not encrypted",
            "https://",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\nlogin_url = \"127.0.0.1:8403\"",
            10,
            "`login_url`",
            "https://HOST",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\napi_version = 61",
            11,
            "`api_version` is out of range",
            "from 62 to 999; 62",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\npoll_interval_ms = 999",
            11,
            "`poll_interval_ms` is out of range",
            "from 1000 to 60000; 5000",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nsnapshot_interval_s = 3601",
            11,
            "`snapshot_interval_s` is out of range",
            "from 10 to 3600; 300",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nper_minute = 0",
            11,
            "`per_minute` is out of range",
            "from 1 to 65535; 60",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nburst = 0",
            11,
            "`burst` is out of range",
            "from 1 to 65535; 10",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nread_timeout_s = 0",
            11,
            "`read_timeout_s` is out of range",
            "from 1 to 120; 30",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nsession_minutes = 1441",
            11,
            "`session_minutes` is out of range",
            "from 1 to 1440; 110",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nproxy = \"nowhere\"",
            11,
            "`proxy` is not an address",
            "https://HOST",
        ),
        (
            "admin_email = \"admin@example.com\"",
            "admin_email = \"admin@example.com\"\n[salesforce.emea.calls]\nat_once = 1",
            11,
            "unknown key \"at_once\"",
            "",
        ),
    ];
    for (from, to, line, what, mend) in cases {
        is_wrong(from, to, line, what, mend);
    }
}

#[test]
fn the_environment_says_where_the_log_in_is() {
    let cases = [
        ("environment = \"production\"", "login.salesforce.com"),
        ("environment = \"sandbox\"", "test.salesforce.com"),
        ("environment = \"hyperforce\"\nmy_domain = \"Acme.my.salesforce.com\"", "acme.my.salesforce.com"),
        (
            "environment = \"sandbox\"\nmy_domain = \"acme--uat.sandbox.my.salesforce.com\"",
            "acme--uat.sandbox.my.salesforce.com",
        ),
    ];
    for (written, host) in cases {
        let (config, told) = read(&with("environment = \"production\"", written));
        let config = config.unwrap_or_else(|| panic!("{told:?}"));
        let login_url = &config.salesforce.values().next().unwrap().login_url;
        assert_eq!(login_url.as_str(), format!("https://{host}/"));
    }
}

/// Each way to log in, with what it needs and no more; what is shown resolves to the same.
#[test]
fn there_is_one_way_to_log_in() {
    let (password, secret) =
        ("password = { secret_env = \"PASSWORD\" }\n", "client_secret = { secret_env = \"SECRET\" }\n");
    let domain = "my_domain = \"acme.my.salesforce.com\"\n";
    let simulator = "login_url = \"http://127.0.0.1:8403\"\n";
    let (key, file) = ("private_key = { secret_env = \"PEM\" }\n", "refresh_token_file = \"gone.token\"\n");
    for (way, keys, expected) in [
        ("password", vec![password, secret], "Password"),
        ("client credentials", vec![domain, secret], "ClientCredentials"),
        ("client credentials at a simulator", vec![simulator, secret], "ClientCredentials"),
        ("a key", vec![key], "JwtBearer"),
        ("a key and a secret", vec![key, secret, domain], "JwtBearer"),
        ("a browser", vec![file], "RefreshToken"),
        ("a browser and a secret", vec![file, secret, simulator], "RefreshToken"),
    ] {
        let text = GOOD.replace(password, "").replace(secret, &keys.concat());
        let (config, told) = read(&text);
        let config = config.unwrap_or_else(|| panic!("{way}: {told:?}"));
        let org = config.salesforce.values().next().unwrap();
        assert!(format!("{:?}", org.login).starts_with(expected), "{way}: {:?}", org.login);
        assert_eq!(org.client_secret.is_some(), keys.contains(&secret), "{way}");
        let is_simulated = keys.contains(&simulator);
        assert_eq!(org.login_url.as_str() == "http://127.0.0.1:8403/", is_simulated, "{way}");
        let shown = toml::to_string(&config).unwrap();
        assert!(!shown.contains(CANARY) && !format!("{config:?}").contains(CANARY), "{shown}");
        assert_eq!(shown.contains("login_url"), is_simulated, "{shown}");
        let (again, told) = read(&shown);
        assert_eq!(told, Vec::<String>::new(), "{shown}");
        assert_eq!(toml::to_string(&again.unwrap()).unwrap(), shown);
    }
}
