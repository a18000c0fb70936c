//! Logging in to an org: a token for all who call, used until it is refused or its time is over, and only where it is of the
//! configured organisation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointSet, ExtraTokenFields, RefreshToken, ResourceOwnerPassword,
    ResourceOwnerUsername, TokenResponse, TokenUrl,
};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::error::{Error, is_code, plain};
use super::token_file::TokenFile;
use crate::connectors::http::{
    self, Answer, Given, LogIn, Platform, TOKEN, Through, now, odd, of_grant, push, read, trusted,
};
use crate::domain::OrganisationId;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A password that was refused is not tried again for so long: Salesforce locks a user out after some refusals in a row.
const REFUSED_FOR: Duration = Duration::from_secs(10 * 60);
/// How long an assertion may be used; Salesforce takes 5 min at most.
const ASSERTION_SECONDS: i64 = 180;

/// An app of an org, and where one logs in with it.
#[derive(Clone, Debug)]
pub struct App {
    /// The host that gives tokens. One on this machine is a simulator.
    pub host: Url,
    /// Whom a signed assertion is for: `https://login.salesforce.com`, or `https://test.salesforce.com` for a sandbox, whatever the
    /// host. My Domain is none.
    pub audience: &'static str,
    /// The organisation that a token must be of.
    pub organisation: OrganisationId,
    /// The id of the app.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<SecretString>,
}

/// How a token is got.
#[derive(Debug)]
pub enum Way {
    /// A user's name and password. Orgs made since Summer '23 block it until an administrator allows it.
    Password {
        /// The user.
        user_name: String,
        /// His password with the security token appended.
        password: SecretString,
    },
    /// The app alone, as the user that it runs as. At My Domain only.
    ClientCredentials,
    /// An assertion about a user, signed with a key whose certificate the app has.
    JwtBearer {
        /// The user.
        user_name: String,
        /// The RSA key, in PEM.
        key: SecretString,
    },
    /// What a person has allowed in a browser.
    RefreshToken(TokenFile),
}

/// How one logs in to an org.
#[derive(Debug)]
pub struct Login {
    /// The app.
    pub app: App,
    /// How a token is got.
    pub way: Way,
    /// A session is not used for longer, though Salesforce does not say when it ends.
    pub renewed_after: Duration,
}

/// What calls are made with.
pub(super) struct Place {
    pub(super) token: SecretString,
    /// Where the org is called: not where one logs in.
    pub(super) instance: Url,
}

/// Gives everybody the same session.
pub(super) type Sessions = http::Sessions<Begin>;

/// Logs in.
pub(super) struct Begin {
    platform: Arc<Platform>,
    login: Login,
    has_warned: AtomicBool,
    /// When a password was refused last, and how.
    refused: Mutex<Option<(Instant, Error)>>,
}

/// What a token has beside what is usual.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Extra {
    instance_url: Option<String>,
    /// `https://HOST/id/ORGANISATION/USER`
    id: Option<String>,
}

impl ExtraTokenFields for Extra {}

/// oauth2's client that knows where tokens are.
pub(super) type Client = http::Client<Extra, EndpointSet>;

/// Which grant it was that was refused: what to do differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Password,
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    Code,
}

/// Sessions of an org that nobody has logged in to yet.
pub(super) fn sessions(platform: Arc<Platform>, login: Login) -> Sessions {
    Sessions::new(Begin { platform, login, has_warned: AtomicBool::new(false), refused: Mutex::new(None) })
}

impl LogIn for Begin {
    type Session = Place;
    type Error = Error;

    async fn log_in(&self) -> Result<(Place, Duration), Error> {
        let Login { app, way, renewed_after } = &self.login;
        let client = app.client();
        let given = match way {
            Way::Password { user_name, password } => self.by_password(&client, user_name, password).await?,
            Way::ClientCredentials => {
                let through = self.through(Grant::ClientCredentials);
                client.exchange_client_credentials().request_async(&through).await.map_err(of_grant)?
            }
            Way::JwtBearer { user_name, key } => self.by_assertion(user_name, key).await?,
            Way::RefreshToken(file) => self.by_refresh_token(&client, file).await?,
        };
        let place = app.accepted(&given)?;
        tracing::info!(renewed_after_s = renewed_after.as_secs(), "logged in to Salesforce");
        Ok((place, *renewed_after))
    }
}

impl Begin {
    fn through(&self, grant: Grant) -> Through<'_, impl Fn(&Platform, Answer) -> Error + Sync + use<>> {
        through(&self.platform, grant)
    }

    async fn by_password(
        &self,
        client: &Client,
        user_name: &str,
        password: &SecretString,
    ) -> Result<Given<Extra>, Error> {
        if let Some((at, error)) = &*self.refused()
            && at.elapsed() < REFUSED_FOR
        {
            return Err(error.clone());
        }
        if !self.has_warned.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                "logging in with a password: orgs made since Summer '23 block that by default; a private key (JWT bearer) is better"
            );
        }
        let name = ResourceOwnerUsername::new(user_name.to_owned());
        let password = ResourceOwnerPassword::new(password.expose_secret().to_owned());
        let through = self.through(Grant::Password);
        let given =
            client.exchange_password(&name, &password).request_async(&through).await.map_err(of_grant);
        if let Err(error @ Error::LogIn { .. }) = &given {
            *self.refused() = Some((Instant::now(), error.clone()));
        }
        given
    }

    fn refused(&self) -> MutexGuard<'_, Option<(Instant, Error)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn by_assertion(&self, user_name: &str, key: &SecretString) -> Result<Given<Extra>, Error> {
        let app = &self.login.app;
        let now_s = (now().as_unix_ms() + self.platform.offset_ms()) / 1_000;
        let assertion = assertion(app, user_name, key, now_s)?;
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", JWT_BEARER)
            .append_pair("assertion", assertion.expose_secret())
            .finish();
        let form = "application/x-www-form-urlencoded";
        let request = self.platform.client().post(app.at("token")).header(CONTENT_TYPE, form).body(body);
        let answer = self.platform.send(TOKEN, request).await?;
        if answer.status != 200 {
            return Err(refused(Grant::JwtBearer, &self.platform, &answer));
        }
        Ok(read(&self.platform, answer, true)?)
    }

    async fn by_refresh_token(&self, client: &Client, file: &TokenFile) -> Result<Given<Extra>, Error> {
        let token = RefreshToken::new(file.read()?.expose_secret().to_owned());
        let through = self.through(Grant::RefreshToken);
        let given = client.exchange_refresh_token(&token).request_async(&through).await.map_err(of_grant);
        if let Err(Error::LogIn { .. }) = &given {
            file.forget();
        }
        let given = given?;
        if let Some(newer) = given.refresh_token().filter(|newer| newer.secret() != token.secret()) {
            // It is this process's as long as it runs; the next one would have none.
            if let Err(error) = file.write(&SecretString::from(newer.secret().as_str())) {
                tracing::error!("{error}: without it the next process cannot log in");
            }
        }
        Ok(given)
    }
}

impl App {
    /// Where something of OAuth is.
    pub(super) fn at(&self, what: &str) -> Url {
        let mut url = self.host.clone();
        push(&mut url, &["services", "oauth2", what]);
        url
    }

    /// Salesforce takes id and secret in the body.
    pub(super) fn client(&self) -> Client {
        let client = oauth2::Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.at("token")));
        match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
            None => client,
        }
    }

    /// What calls are made with, where the token is of this organisation.
    pub(super) fn accepted(&self, given: &Given<Extra>) -> Result<Place, Error> {
        let extra = given.extra_fields();
        let came = extra.id.as_deref().and_then(organisation);
        let came = came.ok_or_else(|| odd(TOKEN, "its id names no organisation"))?;
        if came != self.organisation {
            return Err(Error::OtherOrganisation { expected: self.organisation, came });
        }
        let instance = extra.instance_url.as_deref().unwrap_or_default();
        Ok(Place {
            token: SecretString::from(given.access_token().secret().as_str()),
            instance: trusted(&self.host, TOKEN, "instance_url", instance)?,
        })
    }
}

/// The platform for oauth2, for one grant.
pub(super) fn through(
    platform: &Platform,
    grant: Grant,
) -> Through<'_, impl Fn(&Platform, Answer) -> Error + Sync + use<>> {
    let refused = move |platform: &Platform, answer: Answer| refused(grant, platform, &answer);
    Through { platform, authorization: None, refused }
}

/// The organisation of an identity's address, `https://HOST/id/ORGANISATION/USER`.
fn organisation(id: &str) -> Option<OrganisationId> {
    let url = Url::parse(id).ok()?;
    let mut path = url.path_segments()?.skip_while(|part| *part != "id");
    path.next()?;
    path.next()?.parse().ok()
}

/// Who asks for what as whom, signed.
fn assertion(app: &App, user_name: &str, key: &SecretString, now_s: i64) -> Result<SecretString, Error> {
    #[derive(Serialize)]
    struct Claims<'c> {
        iss: &'c str,
        sub: &'c str,
        aud: &'c str,
        exp: i64,
    }
    let unusable = |why: &str| http::Error::Setting { what: "private_key".to_owned(), why: why.to_owned() };
    let key = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes());
    let key = key.map_err(|_| unusable("it is no RSA key in PEM"))?;
    let claims =
        Claims { iss: &app.client_id, sub: user_name, aud: app.audience, exp: now_s + ASSERTION_SECONDS };
    let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
    Ok(SecretString::from(signed.map_err(|_| unusable("nothing can be signed with it"))?))
}

/// What an answer says that has no token.
fn refused(grant: Grant, platform: &Platform, answer: &Answer) -> Error {
    #[derive(Deserialize)]
    struct Told {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let told = serde_json::from_slice::<Told>(&answer.body).ok().filter(|told| is_code(&told.error));
    match told {
        Some(Told { error: code, error_description }) if (400..500).contains(&answer.status) => {
            Error::LogIn { mend: mend(grant, &code), description: plain(&error_description), code }
        }
        _ => {
            let shown = platform.shown(&answer.body);
            http::Error::Refused { call: TOKEN, status: answer.status, shown }.into()
        }
    }
}

/// Where to look.
fn mend(grant: Grant, code: &str) -> &'static str {
    match (code, grant) {
        ("invalid_grant", Grant::Password) => {
            "look at `user_name` and `password` (the security token is appended, and changes with the password); orgs made since Summer '23 block this way until an administrator allows it"
        }
        ("invalid_grant", Grant::ClientCredentials) => {
            "the app must allow the client credentials flow and name the user that it runs as, and `my_domain` must be that of the org"
        }
        ("invalid_grant", Grant::JwtBearer) => {
            "look at `user_name` and `private_key`: the app must have the certificate of this key, and the user must be pre-authorised for the app; and at this machine's clock"
        }
        ("invalid_grant", Grant::RefreshToken) => {
            "the refresh token is none any more: get another with `lockstep login salesforce ACCOUNT`"
        }
        ("invalid_grant", Grant::Code) => {
            "the code is used or too old: begin again, and look at whether the app's callback url is the one that was said"
        }
        ("invalid_client_id", _) => {
            "look at `client_id`, and at whether the app is in this org (a new one takes some minutes)"
        }
        ("invalid_client", _) => "look at `client_secret`: it is not that of the app",
        ("unsupported_grant_type", Grant::ClientCredentials) => {
            "the app does not allow the client credentials flow, or this host does not: it works at My Domain only"
        }
        ("unsupported_grant_type", _) => {
            "the app does not allow this way to log in, or the host is none that does"
        }
        _ => "docs/salesforce.md says what to set up for each way to log in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App {
            host: "https://login.salesforce.com".parse().unwrap(),
            audience: "https://login.salesforce.com",
            organisation: "00D000000000062".parse().unwrap(),
            client_id: "app".to_owned(),
            client_secret: None,
        }
    }

    fn given(id: &str, instance: &str) -> Given<Extra> {
        let text = serde_json::json!({"access_token": "00D!AQ", "token_type": "Bearer", "id": id,
            "instance_url": instance, "issued_at": "1700000000000", "signature": "x"});
        serde_json::from_value(text).unwrap()
    }

    const INSTANCE: &str = "https://acme.my.salesforce.com";

    #[test]
    fn a_token_is_of_the_configured_organisation() {
        for (id, expected) in [
            ("https://login.salesforce.com/id/00D000000000062EAA/005000000000001AAA", "taken"),
            ("https://login.salesforce.com/id/00D000000000062/005000000000001", "taken"),
            ("https://acme.my.salesforce.com/id/00D000000000063/005000000000001", "00D000000000063"),
            ("https://login.salesforce.com/id/005000000000001/00D000000000062", "names no organisation"),
            ("https://login.salesforce.com/id", "names no organisation"),
            ("https://login.salesforce.com/00D000000000062/005000000000001", "names no organisation"),
            ("00D000000000062", "names no organisation"),
            ("", "names no organisation"),
        ] {
            let came = match app().accepted(&given(id, INSTANCE)) {
                Ok(place) => {
                    assert_eq!(place.instance.as_str(), "https://acme.my.salesforce.com/");
                    "taken".to_owned()
                }
                Err(error) => error.to_string(),
            };
            assert!(came.contains(expected), "{id}: {came}");
        }
        let other = given("https://h/id/00D000000000063/005000000000001", INSTANCE);
        let error = app().accepted(&other).err().unwrap().to_string();
        assert!(
            error.contains("00D000000000062 is configured") && error.contains("organisation_id"),
            "{error}"
        );
    }

    #[test]
    fn a_token_goes_by_tls_only() {
        let id = "https://login.salesforce.com/id/00D000000000062/005000000000001";
        for instance in ["http://acme.my.salesforce.com", "http://127.0.0.1:1", ""] {
            let error = app().accepted(&given(id, instance)).err().unwrap();
            assert!(error.to_string().contains("instance_url"), "{error}");
        }
    }

    /// Each of the contract's errors names the setting to look at.
    #[test]
    fn a_refused_log_in_says_where_to_look() {
        for (grant, code, names) in [
            (Grant::Password, "invalid_grant", "`password`"),
            (Grant::ClientCredentials, "invalid_grant", "`my_domain`"),
            (Grant::JwtBearer, "invalid_grant", "`private_key`"),
            (Grant::RefreshToken, "invalid_grant", "lockstep login salesforce"),
            (Grant::Code, "invalid_grant", "callback url"),
            (Grant::Password, "invalid_client_id", "`client_id`"),
            (Grant::Code, "invalid_client", "`client_secret`"),
            (Grant::ClientCredentials, "unsupported_grant_type", "My Domain"),
            (Grant::Password, "unsupported_grant_type", "this way"),
            (Grant::Password, "inactive_user", "docs/salesforce.md"),
        ] {
            assert!(mend(grant, code).contains(names), "{grant:?}, {code}");
        }
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        for key in ["canary", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----"] {
            let error = assertion(&app(), "jane@example.com", &SecretString::from(key), 0).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(
                said.contains("private_key") && !said.contains("canary") && !said.contains("Y2Fu"),
                "{said}"
            );
        }
    }
}
