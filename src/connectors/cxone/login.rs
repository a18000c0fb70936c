//! Logging in to a tenant: a token for all who call, renewed before it ends, and once for all when it is refused.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::{
    AsyncHttpClient, ClientId, ClientSecret, ExtraTokenFields, HttpRequest, HttpResponse, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::wire::{Claims, Configuration, Discovery, Token};
use crate::connectors::http::{Answer, Error, Platform};

/// A token is renewed so long before it ends, as NICE's own client does.
const RENEWED_BEFORE: Duration = Duration::from_secs(600);
/// How long a token lives that does not say.
const LIVES: Duration = Duration::from_secs(3_600);
/// A token that ends at once would be asked for with each call.
const LIVES_MIN: Duration = Duration::from_secs(1);
const TOKEN: &str = "token";

/// An access key of a tenant's user.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// How a token is got.
#[derive(Clone, Debug)]
pub enum Way {
    /// A registered back-end application with the access key as password grant.
    Application {
        /// The id of the application.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// The access key alone, at the token endpoint of an area.
    AccessKey {
        /// The area, as in `https://AREA.nice-incontact.com`.
        area: String,
    },
}

/// How one logs in to a tenant.
#[derive(Clone, Debug)]
pub struct Login {
    /// Where discovery begins. One on this machine is a simulator: there everything is under the issuer.
    pub issuer: Url,
    /// The access key.
    pub key: AccessKey,
    /// How a token is got.
    pub way: Way,
}

/// What calls are made with.
pub(super) struct Session {
    number: u64,
    pub(super) token: SecretString,
    /// Calls to agents, teams and codes are under it.
    pub(super) acd: Url,
    /// Calls to users are.
    pub(super) user_hub: Url,
    renewed_after: Duration,
}

/// Gives everybody the same session.
pub(super) struct Sessions {
    platform: Arc<Platform>,
    login: Login,
    /// By a number that rises when one was refused.
    sessions: Cache<u64, Arc<Session>>,
    number: AtomicU64,
    refresh: Mutex<Option<SecretString>>,
}

struct Renewal;

impl Expiry<u64, Arc<Session>> for Renewal {
    fn expire_after_create(&self, _: &u64, session: &Arc<Session>, _: Instant) -> Option<Duration> {
        Some(session.renewed_after)
    }
}

/// A token as CXone gives it.
struct Given {
    token: SecretString,
    lives: Duration,
    id_token: SecretString,
}

/// What a token has beside what is usual.
#[derive(Debug, Deserialize, Serialize)]
struct Extra {
    id_token: Option<String>,
}

impl ExtraTokenFields for Extra {}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<Extra, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl Sessions {
    pub(super) fn new(platform: Arc<Platform>, login: Login) -> Sessions {
        // The newest is always taken in: by moka's own policy one that is asked for less often is not.
        let sessions = Cache::builder()
            .max_capacity(4)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Renewal)
            .build();
        Sessions { platform, login, sessions, number: AtomicU64::new(0), refresh: Mutex::new(None) }
    }

    /// The session of now. Of all who ask while there is none, one logs in.
    pub(super) async fn get(&self) -> Result<Arc<Session>, Error> {
        let number = self.number.load(Ordering::Acquire);
        let session = self.sessions.try_get_with(number, self.begin(number)).await;
        session.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// The platform takes this session for none: whoever asks next gets another.
    pub(super) fn is_none(&self, session: &Session) {
        let (known, next) = (session.number, session.number + 1);
        if self.number.compare_exchange(known, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            *self.refresh.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    async fn begin(&self, number: u64) -> Result<Arc<Session>, Error> {
        let Given { token, lives, id_token } = match &self.login.way {
            Way::Application { client_id, client_secret } => self.grant(client_id, client_secret).await?,
            Way::AccessKey { area } => self.by_key(area).await?,
        };
        let (acd, user_hub) = self.places(&id_token).await?;
        let renewed_after = lives.saturating_sub(RENEWED_BEFORE).max(lives / 2).max(LIVES_MIN);
        tracing::info!(renewed_after_s = renewed_after.as_secs(), "logged in to CXone");
        Ok(Arc::new(Session { number, token, acd, user_hub, renewed_after }))
    }

    /// The token endpoint, by discovery: with the token that renews, where there is one, else with the access key.
    async fn grant(&self, client_id: &str, client_secret: &SecretString) -> Result<Given, Error> {
        let found: Discovery = self.ask("discovery", &[".well-known", "openid-configuration"], &[]).await?;
        let found = found.token_endpoint.0.unwrap_or_default();
        let endpoint = self.trusted("discovery", "token_endpoint", &found)?;
        let client: Client = oauth2::Client::new(ClientId::new(client_id.to_owned()));
        let secret = ClientSecret::new(client_secret.expose_secret().to_owned());
        let client = client.set_client_secret(secret).set_token_uri(TokenUrl::from_url(endpoint));
        let basic = format!("{client_id}:{}", client_secret.expose_secret());
        let basic = SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(basic)));
        let through = Through { platform: &self.platform, basic };
        let refresh = self.refresh.lock().unwrap_or_else(PoisonError::into_inner).take();
        let renewed = match refresh {
            None => None,
            Some(refresh) => {
                let refresh = RefreshToken::new(refresh.expose_secret().to_owned());
                match client.exchange_refresh_token(&refresh).request_async(&through).await {
                    Ok(token) => Some(token),
                    Err(error) => {
                        tracing::info!("{}; logging in anew", of_grant(error));
                        None
                    }
                }
            }
        };
        let token = match renewed {
            Some(token) => token,
            None => {
                let name = ResourceOwnerUsername::new(self.login.key.id.clone());
                let password = self.login.key.secret.expose_secret().to_owned();
                let password = ResourceOwnerPassword::new(password);
                client.exchange_password(&name, &password).request_async(&through).await.map_err(of_grant)?
            }
        };
        let refresh = token.refresh_token().map(|refresh| SecretString::from(refresh.secret().as_str()));
        *self.refresh.lock().unwrap_or_else(PoisonError::into_inner) = refresh;
        Ok(Given {
            token: SecretString::from(token.access_token().secret().as_str()),
            lives: token.expires_in().unwrap_or(LIVES),
            id_token: SecretString::from(token.extra_fields().id_token.clone().unwrap_or_default()),
        })
    }

    /// The endpoint that takes an access key alone.
    async fn by_key(&self, area: &str) -> Result<Given, Error> {
        const PATH: [&str; 4] = ["authentication", "v1", "token", "access-key"];
        let mut url = if is_here(&self.login.issuer) {
            self.login.issuer.clone()
        } else {
            self.trusted(TOKEN, "area", &format!("https://{area}.nice-incontact.com"))?
        };
        push(&mut url, &PATH);
        let key = &self.login.key;
        let body = json!({"accessKeyId": key.id, "accessKeySecret": key.secret.expose_secret()});
        let answer = self.platform.send(TOKEN, self.platform.client().post(url).json(&body)).await?;
        let token: Token = read(&self.platform, answer)?;
        let seconds = token.expires_in.0.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Given {
            token: SecretString::from(token.access.0.ok_or_else(|| odd(TOKEN, "it has no access_token"))?),
            lives: seconds.map_or(LIVES, Duration::from_secs),
            id_token: SecretString::from(token.id.0.unwrap_or_default()),
        })
    }

    /// Where the tenant of a token is called.
    async fn places(&self, id_token: &SecretString) -> Result<(Url, Url), Error> {
        const CALL: &str = "configuration";
        let claims = id_token.expose_secret().split('.').nth(1);
        let claims = claims.and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
        let claims = claims.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
        let tenant = claims.and_then(|claims| claims.tenant.0);
        let tenant = tenant.ok_or_else(|| odd(TOKEN, "its id_token names no tenantId"))?;
        let path = [".well-known", "cxone-configuration"];
        let found: Configuration = self.ask(CALL, &path, &[("tenantId", &tenant)]).await?;
        let acd = self.trusted(CALL, "api_endpoint", &found.api.0.unwrap_or_default())?;
        let user_hub = if is_here(&self.login.issuer) {
            self.login.issuer.clone()
        } else {
            let (area, domain) = (found.area.0.unwrap_or_default(), found.domain.0.unwrap_or_default());
            self.trusted(CALL, "area and domain", &format!("https://api-{area}.{domain}"))?
        };
        Ok((acd, user_hub))
    }

    /// What is public at the issuer.
    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        call: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut url = self.login.issuer.clone();
        push(&mut url, path);
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.platform.send(call, self.platform.client().get(url)).await?;
        read(&self.platform, answer)
    }

    /// An address that secrets may be sent to: by TLS, but for a simulator.
    fn trusted(&self, call: &'static str, what: &str, text: &str) -> Result<Url, Error> {
        let url = Url::parse(text).map_err(|_| odd(call, &format!("{what} is no address")))?;
        let is_here = is_here(&self.login.issuer) && is_here(&url);
        if url.scheme() == "https" || is_here {
            return Ok(url);
        }
        Err(odd(call, &format!("{what} is no address by https")))
    }
}

/// Whether an address is one of this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn push(url: &mut Url, path: &[&str]) {
    // Only an address that cannot be a base has no segments, and `trusted` takes none.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
}

pub(super) fn odd(call: &'static str, why: &str) -> Error {
    Error::Odd { call, status: 200, why: why.to_owned(), shown: None }
}

/// What an answer says, where it is one.
pub(super) fn read<T: for<'de> Deserialize<'de>>(platform: &Platform, answer: Answer) -> Result<T, Error> {
    let Answer { call, status, body } = answer;
    if !(200..300).contains(&status) {
        return Err(Error::Refused { call, status, shown: platform.shown(&body) });
    }
    serde_json::from_slice(&body).map_err(|why| {
        let why = if body.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("no JSON of it: {}", place(&why))
        };
        // What looks like a token may be one; and people's names are in no log.
        let shown = platform.shown(&body).filter(|_| ![TOKEN, "agents", "users"].contains(&call));
        Error::Odd { call, status, why, shown }
    })
}

/// Where JSON ends to be any; serde's own text may quote what stands there.
fn place(why: &serde_json::Error) -> String {
    let kind = match why.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "other than it should be",
        _ => "unreadable",
    };
    format!("{kind} at line {}, column {}", why.line(), why.column())
}

/// The platform, as oauth2 calls it.
struct Through<'p> {
    platform: &'p Platform,
    /// Just as the contract has it, without the encoding of RFC 6749.
    basic: SecretString,
}

impl<'c> AsyncHttpClient<'c> for Through<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let basic = HeaderValue::from_str(self.basic.expose_secret()).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            let basic = basic.map_err(|_| Error::Setting {
                what: "client_id or client_secret".to_owned(),
                why: "it has characters that no header has".to_owned(),
            })?;
            parts.headers.insert(AUTHORIZATION, basic);
            let client = self.platform.client();
            let request =
                client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let Answer { call, status, body } = self.platform.send(TOKEN, request).await?;
            if status != 200 {
                return Err(Error::Refused { call, status, shown: self.platform.shown(&body) });
            }
            Ok(HttpResponse::new(body))
        })
    }
}

/// What went wrong with a grant. What oauth2 quotes of an answer may be a token.
fn of_grant(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            odd(TOKEN, "it is no token")
        }
    }
}
