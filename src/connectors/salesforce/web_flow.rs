//! A person allows the app in a browser: the web server flow with PKCE. The code comes back to a port of this machine.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::error::{Error, is_code, plain};
use super::login::{App, Grant, through};
use crate::connectors::http::{self, Platform, of_grant};

/// How long the page that says that it is over may be on its way.
const PAGE_WITHIN: Duration = Duration::from_secs(1);
/// The path of the callback, as it is registered.
const CALLBACK: &str = "/callback";

/// A log-in in a browser.
pub struct WebFlow {
    app: App,
    redirect: Url,
    address: Url,
    verifier: PkceCodeVerifier,
    expected: Arc<Expected>,
}

/// What a callback must have.
struct Expected {
    state: CsrfToken,
}

/// What a browser comes back with.
enum Came {
    /// The code.
    Code(SecretString),
    /// It was not allowed.
    Refused(Error),
    /// It is of no log-in that was begun here.
    Foreign,
    /// Something else that browsers ask for.
    Elsewhere,
}

/// What was allowed.
#[derive(Debug)]
pub struct Granted {
    /// With which one logs in from now on.
    pub refresh_token: SecretString,
    /// The scopes that came, where they were told.
    pub scopes: Vec<String>,
}

/// What a scope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: &'static str,
    /// Others that include it.
    pub also: &'static [&'static str],
    /// Whether nothing works without it.
    pub is_needed: bool,
    /// What it is for.
    pub what_for: &'static str,
}

/// The scopes that the app should have.
pub const SCOPES: [Scope; 4] = [
    Scope { name: "api", also: &["full"], is_needed: true, what_for: "reads what agents are in" },
    Scope {
        name: "refresh_token",
        also: &["offline_access"],
        is_needed: true,
        what_for: "lets Lockstep log in without a person",
    },
    Scope { name: "web", also: &["full"], is_needed: false, what_for: "pages of the org in a browser" },
    Scope {
        name: "visualforce",
        also: &["full", "web"],
        is_needed: false,
        what_for: "its Visualforce pages",
    },
];

impl Scope {
    /// Whether it is among those that came.
    pub fn is_among(&self, came: &[String]) -> bool {
        came.iter().any(|one| one == self.name || self.also.contains(&one.as_str()))
    }
}

impl WebFlow {
    /// Begins one whose code comes back to this port.
    ///
    /// # Errors
    /// The address that comes of it is none.
    pub fn new(app: App, port: u16) -> Result<WebFlow, Error> {
        let unusable = |why: url::ParseError| http::Error::Setting {
            what: "the callback".to_owned(),
            why: why.to_string(),
        };
        let redirect = Url::parse(&format!("http://localhost:{port}{CALLBACK}")).map_err(unusable)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = app.client().set_auth_uri(AuthUrl::from_url(app.at("authorize")));
        let client = client.set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
        let (address, state) =
            client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge).url();
        Ok(WebFlow { app, redirect, address, verifier, expected: Arc::new(Expected { state }) })
    }

    /// What the browser is to open.
    pub const fn address(&self) -> &Url {
        &self.address
    }

    /// Where it comes back to, as the app must have it registered.
    pub const fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits for the browser to come back with a code. What comes without the right state changes nothing.
    ///
    /// # Errors
    /// It was not allowed, or nobody can be listened to any more.
    pub async fn code(&self, listener: TcpListener) -> Result<SecretString, Error> {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served { expected: Arc::clone(&self.expected), tell };
        let router = Router::new().fallback(answer).with_state(served);
        let (over, ended) = oneshot::channel::<()>();
        let until = async move { ended.await.unwrap_or_default() };
        let mut server = pin!(axum::serve(listener, router).with_graceful_shutdown(until).into_future());
        let came = tokio::select! {
            Some(came) = told.recv() => came,
            ended = &mut server => {
                let why = ended.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
                return Err(http::Error::Setting { what: "the listener".to_owned(), why }.into());
            }
        };
        let _ = over.send(());
        // A browser may keep a connection that it never uses.
        let _ = tokio::time::timeout(PAGE_WITHIN, server).await;
        came
    }

    /// Gets what the code is for, where it is of the configured organisation.
    ///
    /// # Errors
    /// The code is refused, it is of another organisation, or nothing came with which one can log in again.
    pub async fn exchange(self, platform: &Platform, code: &SecretString) -> Result<Granted, Error> {
        let client = self.app.client().set_redirect_uri(RedirectUrl::from_url(self.redirect));
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let through = through(platform, Grant::Code);
        let request = client.exchange_code(code).set_pkce_verifier(self.verifier);
        let given = request.request_async(&through).await.map_err(of_grant)?;
        self.app.accepted(&given)?;
        let refresh_token = given.refresh_token().ok_or_else(|| Error::Consent {
            code: "no refresh token came".to_owned(),
            description: None,
            mend: "give the app the scope refresh_token (offline_access), and log in again",
        })?;
        let scopes = given.scopes().into_iter().flatten().map(|scope| scope.to_string()).collect();
        Ok(Granted { refresh_token: SecretString::from(refresh_token.secret().as_str()), scopes })
    }
}

#[derive(Clone)]
struct Served {
    expected: Arc<Expected>,
    tell: mpsc::Sender<Result<SecretString, Error>>,
}

async fn answer(State(served): State<Served>, uri: Uri) -> Response {
    let (status, title, text) = match served.expected.came(uri.path(), uri.query().unwrap_or_default()) {
        Came::Code(code) => {
            // The first that comes counts.
            let _ = served.tell.try_send(Ok(code));
            let text =
                "Lockstep has an answer, and the command says what came of it. You may close this page.";
            (StatusCode::OK, "Allowed", text)
        }
        Came::Refused(error) => {
            let _ = served.tell.try_send(Err(error));
            let text = "Lockstep was not allowed. The command says why. You may close this page.";
            (StatusCode::OK, "Not allowed", text)
        }
        Came::Foreign => {
            let text = "This is no answer to the log-in that Lockstep waits for. Open the address that the command printed.";
            (StatusCode::BAD_REQUEST, "Not expected", text)
        }
        Came::Elsewhere => (StatusCode::NOT_FOUND, "Nothing here", "There is nothing here."),
    };
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} - Lockstep</title></head>\
         <body><h1>{title}</h1><p>{text}</p></body></html>"
    );
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(page)).into_response()
}

impl Expected {
    fn came(&self, path: &str, query: &str) -> Came {
        if path != CALLBACK {
            return Came::Elsewhere;
        }
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if value("state").as_deref() != Some(self.state.secret().as_str()) {
            return Came::Foreign;
        }
        match (value("code"), value("error")) {
            (None, Some(code)) => {
                let code = if is_code(&code) { code } else { "an error without a code".to_owned() };
                let description = value("error_description").as_deref().and_then(plain);
                Came::Refused(Error::Consent { mend: mend(&code), description, code })
            }
            (Some(code), None) if !code.is_empty() => Came::Code(SecretString::from(code)),
            _ => Came::Foreign,
        }
    }
}

/// What to do.
fn mend(code: &str) -> &'static str {
    match code {
        "access_denied" => "allow the app in the browser, with the integration user and not your own",
        "redirect_uri_mismatch" => {
            "register the callback url that was said in the app, or choose its port with --port"
        }
        "invalid_client_id" => "look at `client_id`, and at whether the app is in this org",
        "invalid_scope" => "the app must have the scopes that docs/salesforce.md names",
        _ => "docs/salesforce.md says what to set up in the app",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn flow() -> WebFlow {
        let app = App {
            host: "https://login.salesforce.com".parse().unwrap(),
            audience: "https://login.salesforce.com",
            organisation: "00D000000000062".parse().unwrap(),
            client_id: "app id".to_owned(),
            client_secret: Some(SecretString::from("canary")),
        };
        WebFlow::new(app, 8484).unwrap()
    }

    #[test]
    fn the_address_has_what_the_contract_wants_and_no_secret() {
        let flow = flow();
        let address = flow.address();
        assert_eq!(
            (address.host_str(), address.path()),
            (Some("login.salesforce.com"), "/services/oauth2/authorize")
        );
        let pairs: BTreeMap<_, _> = address.query_pairs().into_owned().collect();
        for (name, expected) in [
            ("response_type", "code"),
            ("client_id", "app id"),
            ("redirect_uri", "http://localhost:8484/callback"),
            ("code_challenge_method", "S256"),
            ("state", flow.expected.state.secret()),
        ] {
            assert_eq!(pairs[name], expected, "{name}");
        }
        assert_eq!(pairs["code_challenge"].len(), 43);
        assert!(!address.as_str().contains("canary"), "{address}");
        assert!(!address.as_str().contains(flow.verifier.secret().as_str()), "{address}");
    }

    #[test]
    fn only_an_answer_to_our_own_question_counts() {
        let flow = flow();
        let state = flow.expected.state.secret();
        for (path, query, expected) in [
            ("/callback", format!("code=aPrx%3D%3D&state={state}"), "code aPrx=="),
            (
                "/callback",
                format!("state={state}&error=access_denied&error_description=end-user+denied+authorization"),
                "access_denied (end-user denied authorization): allow the app",
            ),
            ("/callback", format!("state={state}&error=%3Cscript%3E"), "an error without a code: docs"),
            (
                "/callback",
                format!("state={state}&error=redirect_uri_mismatch"),
                "redirect_uri_mismatch: register",
            ),
            ("/callback", format!("code=aPrx&state={state}x"), "foreign"),
            ("/callback", "code=aPrx".to_owned(), "foreign"),
            ("/callback", "error=access_denied".to_owned(), "foreign"),
            ("/callback", format!("state={state}"), "foreign"),
            ("/callback", format!("state={state}&code="), "foreign"),
            ("/callback", format!("state={state}&code=x&error=access_denied"), "foreign"),
            ("/callback", String::new(), "foreign"),
            ("/favicon.ico", String::new(), "elsewhere"),
            ("/", format!("code=aPrx&state={state}"), "elsewhere"),
        ] {
            let came = match flow.expected.came(path, &query) {
                Came::Code(code) => format!("code {}", code.expose_secret()),
                Came::Refused(error) => error.to_string(),
                Came::Foreign => "foreign".to_owned(),
                Came::Elsewhere => "elsewhere".to_owned(),
            };
            assert!(came.contains(expected), "{query}: {came}");
        }
    }

    #[test]
    fn a_scope_may_be_part_of_another() {
        let came = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        for (text, missing) in [
            ("api refresh_token web visualforce", &[][..]),
            ("full offline_access", &[]),
            ("api web", &["refresh_token"]),
            ("refresh_token", &["api", "web", "visualforce"]),
            ("", &["api", "refresh_token", "web", "visualforce"]),
        ] {
            let came = came(text);
            let found: Vec<_> =
                SCOPES.iter().filter(|scope| !scope.is_among(&came)).map(|scope| scope.name).collect();
            assert_eq!(found, missing, "{text}");
        }
    }
}
