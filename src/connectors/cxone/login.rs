//! Logging in to a tenant: a token for all who call, renewed before it ends, and once for all when it is refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use oauth2::{
    ClientId, ClientSecret, ExtraTokenFields, RefreshToken, ResourceOwnerPassword, ResourceOwnerUsername,
    TokenResponse, TokenUrl,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::wire::{Claims, Configuration, Discovery, Token};
use crate::connectors::http::{
    self, Answer, Client, Error, LogIn, Numbered, Platform, TOKEN, Through, is_here, odd, of_grant, push,
    trusted,
};

/// A token is renewed so long before it ends, as NICE's own client does.
const RENEWED_BEFORE: Duration = Duration::from_secs(600);
/// How long a token lives that does not say.
const LIVES: Duration = Duration::from_secs(3_600);
/// A token that ends at once would be asked for with each call.
const LIVES_MIN: Duration = Duration::from_secs(1);

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
pub(super) struct Place {
    pub(super) token: SecretString,
    /// Calls to agents, teams and codes are under it.
    pub(super) acd: Url,
    /// Calls to users are.
    pub(super) user_hub: Url,
}

/// What calls are made with, as everybody has it.
pub(super) type Session = Numbered<Place>;

/// Gives everybody the same session.
pub(super) type Sessions = http::Sessions<Begin>;

/// Logs in.
pub(super) struct Begin {
    platform: Arc<Platform>,
    login: Login,
    refresh: Mutex<Option<SecretString>>,
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

/// Sessions of a tenant that nobody has logged in to yet.
pub(super) fn sessions(platform: Arc<Platform>, login: Login) -> Sessions {
    Sessions::new(Begin { platform, login, refresh: Mutex::new(None) })
}

impl LogIn for Begin {
    type Session = Place;
    type Error = Error;

    async fn log_in(&self) -> Result<(Place, Duration), Error> {
        let Given { token, lives, id_token } = match &self.login.way {
            Way::Application { client_id, client_secret } => self.grant(client_id, client_secret).await?,
            Way::AccessKey { area } => self.by_key(area).await?,
        };
        let (acd, user_hub) = self.places(&id_token).await?;
        let renewed_after = lives.saturating_sub(RENEWED_BEFORE).max(lives / 2).max(LIVES_MIN);
        tracing::info!(renewed_after_s = renewed_after.as_secs(), "logged in to CXone");
        Ok((Place { token, acd, user_hub }, renewed_after))
    }

    fn forget(&self) {
        *self.refresh.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Begin {
    /// The token endpoint, by discovery: with the token that renews, where there is one, else with the access key.
    async fn grant(&self, client_id: &str, client_secret: &SecretString) -> Result<Given, Error> {
        let found: Discovery = self.ask("discovery", &[".well-known", "openid-configuration"], &[]).await?;
        let found = found.token_endpoint.0.unwrap_or_default();
        let endpoint = self.trusted("discovery", "token_endpoint", &found)?;
        let client: Client<Extra> = oauth2::Client::new(ClientId::new(client_id.to_owned()));
        let secret = ClientSecret::new(client_secret.expose_secret().to_owned());
        let client = client.set_client_secret(secret).set_token_uri(TokenUrl::from_url(endpoint));
        // Just as the contract has it, without the encoding of RFC 6749.
        let basic = format!("{client_id}:{}", client_secret.expose_secret());
        let basic = SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(basic)));
        let through = Through { platform: &self.platform, authorization: Some(basic), refused };
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

    fn trusted(&self, call: &'static str, what: &str, text: &str) -> Result<Url, Error> {
        trusted(&self.login.issuer, call, what, text)
    }
}

/// What an answer says that has no token.
fn refused(platform: &Platform, answer: Answer) -> Error {
    let Answer { call, status, body, .. } = answer;
    Error::Refused { call, status, shown: platform.shown(&body) }
}

/// What an answer says, where it is one.
pub(super) fn read<T: for<'de> Deserialize<'de>>(platform: &Platform, answer: Answer) -> Result<T, Error> {
    // What looks like a token may be one; and people's names are in no log.
    let is_secret = [TOKEN, "agents", "users"].contains(&answer.call);
    http::read(platform, answer, is_secret)
}
