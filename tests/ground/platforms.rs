//! How a process reaches simulated platforms: parts of its configuration, and its secrets.

use std::net::SocketAddr;

use lockstep::simulators::{cxone, salesforce};

/// A tenant.
pub(crate) fn of_cxone(api: SocketAddr) -> String {
    let cxone::Credentials { client_id, access_key_id, .. } = cxone::Credentials::default();
    format!(
        r#"
[cxone.emea]
issuer = "http://{api}"
user_name = "lockstep"
access_key_id = "{access_key_id}"
access_key_secret = {{ secret_env = "TEST_KEY" }}
client_id = "{client_id}"
client_secret = {{ secret_env = "TEST_CLIENT" }}
"#
    )
}

/// An org, which is taken for this organisation.
pub(crate) fn of_salesforce(api: SocketAddr, organisation: &str) -> String {
    let salesforce::Credentials { client_id, username, .. } = salesforce::Credentials::default();
    format!(
        r#"
[salesforce.emea]
environment = "production"
login_url = "http://{api}"
organisation_id = "{organisation}"
user_name = "{username}"
password = {{ secret_env = "TEST_PASSWORD" }}
client_id = "{client_id}"
client_secret = {{ secret_env = "TEST_APP" }}
admin_email = "admin@example.com"
"#
    )
}

/// The organisation that a simulated org is.
pub(crate) const ORGANISATION: &str = "00D5g0000000001";

/// What these sections take from the environment.
pub(crate) fn secrets() -> [(&'static str, String); 4] {
    let (org, tenant) = (salesforce::Credentials::default(), cxone::Credentials::default());
    [
        ("TEST_PASSWORD", org.password + &org.security_token),
        ("TEST_APP", org.client_secret),
        ("TEST_KEY", tenant.access_key_secret),
        ("TEST_CLIENT", tenant.client_secret),
    ]
}
