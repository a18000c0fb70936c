//! OAuth: every flow to a session, and what is refused.

use std::collections::HashMap;

use serde_json::json;
use url::Url;

use super::super::wire::{Body, Reply, Request};
use super::ids::{long, organisation};
use super::rest::expired;
use super::sessions::{Code, Kept, asserted, of_basic, signature};
use super::world::World;
use crate::domain::{TimeMs, UserId};

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    /// There is no such client.
    ClientId,
    /// The client's secret is another.
    Client,
    /// What is to prove who asks does not.
    Grant,
    /// Client credentials are for the org's own host.
    Host,
    /// No flow that there is.
    GrantType,
}

impl Denied {
    /// The answer. Its status is 400 whatever it is.
    fn answer(self) -> Reply {
        let (error, description) = match self {
            Denied::ClientId => ("invalid_client_id", "client identifier invalid"),
            Denied::Client => ("invalid_client", "invalid client credentials"),
            Denied::Grant => ("invalid_grant", "authentication failure"),
            Denied::Host => ("invalid_grant", "request not supported on this domain"),
            Denied::GrantType => ("unsupported_grant_type", "grant type not supported"),
        };
        Reply::error(400, error, description)
    }
}

/// Who is let in, and for what.
struct Granted {
    user: UserId,
    scope: String,
    /// A refresh token that he has had already.
    refresh: Option<String>,
    /// Whether he gets one.
    gives_refresh: bool,
}

const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

impl World {
    /// What is under `/services/oauth2`.
    pub(super) fn oauth(&mut self, request: &Request, path: &[&str], now: TimeMs) -> Reply {
        match (request.method.as_str(), path) {
            ("POST", ["token"]) => self.token(request, now),
            ("GET" | "POST", ["authorize"]) => self.authorize(request, now),
            ("GET" | "POST", ["userinfo"]) => self.user_info(request, now),
            ("POST", ["revoke"]) => {
                let form = request.form();
                if form.get("token").is_some_and(|token| self.sessions.revoke(token)) {
                    Reply::empty(200)
                } else {
                    Reply::error(400, "invalid_token", "there is no such token")
                }
            }
            _ => super::rest::not_found(),
        }
    }

    fn token(&mut self, request: &Request, now: TimeMs) -> Reply {
        let form = request.form();
        let granted = match self.grant(request, &form, now) {
            Ok(granted) => granted,
            Err(denied) => return denied.answer(),
        };
        let Granted { user, scope, refresh, gives_refresh } = granted;
        let is_kept = scope.split(' ').any(|part| matches!(part, "refresh_token" | "offline_access"));
        let given = gives_refresh && is_kept;
        let given = given.then(|| self.sessions.keep(Kept { user, scope: scope.clone() }));
        let seconds = self.settings.variants.session_seconds;
        let access = self.sessions.begin(user, refresh.or_else(|| given.clone()), (now, seconds));
        let (id, issued_at) = (identity(&request.base, user), now.as_unix_ms().to_string());
        let instance = self.settings.variants.instance_url.clone();
        let mut answer = json!({
            "access_token": access, "instance_url": instance.unwrap_or_else(|| request.base.clone()),
            "id": id, "token_type": "Bearer", "issued_at": issued_at, "scope": scope,
            "signature": signature(&id, &issued_at, &self.settings.credentials.client_secret),
        });
        if let (Some(refresh), Some(answer)) = (given, answer.as_object_mut()) {
            answer.insert("refresh_token".to_owned(), refresh.into());
        }
        Reply::json(200, answer)
    }

    fn grant(
        &mut self,
        request: &Request,
        form: &HashMap<String, String>,
        now: TimeMs,
    ) -> Result<Granted, Denied> {
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let integration = self.records.integration();
        let scope = self.settings.variants.scope.clone();
        let granted = |user, scope| Granted { user, scope, refresh: None, gives_refresh: false };
        match field("grant_type") {
            "password" => {
                self.client(request, form, true)?;
                let known = &self.settings.credentials;
                let is_known = field("username").eq_ignore_ascii_case(&known.username)
                    && field("password") == format!("{}{}", known.password, known.security_token);
                let is_let_in = is_known && self.settings.variants.allows_password;
                self.active(integration).filter(|_| is_let_in).map(|user| granted(user, scope))
            }
            "client_credentials" => {
                self.client(request, form, true)?;
                if !self.settings.variants.has_client_credentials {
                    return Err(Denied::Host);
                }
                self.active(integration).map(|user| granted(user, scope))
            }
            ASSERTION => {
                let audiences = &self.settings.variants.jwt_audiences;
                let client_id = &self.settings.credentials.client_id;
                let key = self.settings.jwt_public_key.as_deref();
                let name = key.and_then(|key| asserted(field("assertion"), key, client_id, audiences, now));
                let mut users = self.records.users.values();
                let user = name.and_then(|name| users.find(|user| user.username.eq_ignore_ascii_case(&name)));
                user.and_then(|user| self.active(user.id)).map(|user| granted(user, scope))
            }
            "refresh_token" => {
                self.client(request, form, false)?;
                let refresh = field("refresh_token");
                let kept = self.sessions.kept(refresh).filter(|kept| self.active(kept.user).is_some());
                let refresh = Some(refresh.to_owned());
                kept.cloned().map(|Kept { user, scope }| Granted { refresh, ..granted(user, scope) })
            }
            "authorization_code" => {
                self.client(request, form, false)?;
                let (code, to) = (field("code"), field("redirect_uri"));
                let code = self.sessions.take(code, to, field("code_verifier"), now);
                let code = code.filter(|code| self.active(code.user).is_some());
                code.map(|code| Granted { gives_refresh: true, ..granted(code.user, code.scope) })
            }
            _ => return Err(Denied::GrantType),
        }
        .ok_or(Denied::Grant)
    }

    /// Whether the application is the one that there is, by the form or by a `Basic` header. One that has no secret to
    /// keep may leave it away, where its grant allows it.
    fn client(
        &self,
        request: &Request,
        form: &HashMap<String, String>,
        needs_secret: bool,
    ) -> Result<(), Denied> {
        let known = &self.settings.credentials;
        let basic = request.authorization.as_deref().and_then(of_basic);
        let (id, secret) = match &basic {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (form.get("client_id"), form.get("client_secret")),
        };
        if id != Some(&known.client_id) {
            return Err(Denied::ClientId);
        }
        match secret {
            Some(secret) if *secret == known.client_secret => Ok(()),
            None if !needs_secret => Ok(()),
            _ => Err(Denied::Client),
        }
    }

    fn active(&self, user: UserId) -> Option<UserId> {
        self.records.users.get(&user).filter(|user| user.is_active).map(|user| user.id)
    }

    /// The page on which a person would say yes: the integration user does, or does not, at once.
    fn authorize(&mut self, request: &Request, now: TimeMs) -> Reply {
        let form = if request.method == "POST" { request.form() } else { HashMap::new() };
        let field =
            |name: &str| request.query.get(name).or_else(|| form.get(name)).map_or("", String::as_str);
        let known = &self.settings.credentials.client_id;
        if field("client_id") != known {
            return Denied::ClientId.answer();
        }
        let Some(to) = Url::parse(field("redirect_uri")).ok().filter(may_be_led_to) else {
            return Reply::error(400, "redirect_uri_mismatch", "redirect_uri must match configuration");
        };
        let state = field("state");
        let challenge = field("code_challenge");
        if field("response_type") != "code" {
            return led(to, &[("error", "unsupported_response_type")], state);
        }
        // There is one method only: clients leave it away.
        if challenge.is_empty() || !matches!(field("code_challenge_method"), "" | "S256") {
            let why = "missing required code challenge";
            return led(to, &[("error", "invalid_request"), ("error_description", why)], state);
        }
        let integration = self.records.integration();
        let Some(user) = self.active(integration).filter(|_| self.settings.variants.gives_consent) else {
            let why = "end-user denied authorization";
            return led(to, &[("error", "access_denied"), ("error_description", why)], state);
        };
        let Some(scope) = narrowed(&self.settings.variants.scope, field("scope")) else {
            let why = "the requested scope is not allowed";
            return led(to, &[("error", "invalid_scope"), ("error_description", why)], state);
        };
        let redirect_uri = field("redirect_uri").to_owned();
        let challenge = challenge.trim_end_matches('=').to_owned();
        let code = self.sessions.code(Code { user, scope, redirect_uri, challenge, given: now });
        led(to, &[("code", &code)], state)
    }

    fn user_info(&mut self, request: &Request, now: TimeMs) -> Reply {
        let seconds = self.settings.variants.session_seconds;
        let user = self.sessions.user(request.authorization.as_deref(), (now, seconds));
        let user = user.and_then(|user| self.records.users.get(&user)).filter(|user| user.is_active);
        let Some(user) = user else { return expired() };
        Reply::json(
            200,
            json!({
                "sub": identity(&request.base, user.id), "user_id": long(user.id.id()),
                "organization_id": long(organisation().id()), "preferred_username": user.username,
                "name": user.name, "email": user.email, "active": user.is_active,
            }),
        )
    }
}

/// The address that a user is known by.
fn identity(base: &str, user: UserId) -> String {
    format!("{base}/id/{}/{}", long(organisation().id()), long(user.id()))
}

/// Codes go to this machine, or over TLS.
fn may_be_led_to(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// Those of the allowed scopes that are asked for; all, where none is. None where one is not allowed.
fn narrowed(allowed: &str, asked: &str) -> Option<String> {
    if asked.trim().is_empty() {
        return Some(allowed.to_owned());
    }
    let is_allowed = |part: &str| allowed.split(' ').any(|allowed| allowed == part);
    let parts: Vec<&str> = asked.split_whitespace().collect();
    parts.iter().all(|part| is_allowed(part)).then(|| parts.join(" "))
}

/// The browser is led there.
fn led(mut to: Url, with: &[(&str, &str)], state: &str) -> Reply {
    {
        let mut query = to.query_pairs_mut();
        query.extend_pairs(with);
        if !state.is_empty() {
            query.append_pair("state", state);
        }
    }
    Reply { body: Body::None, ..Reply::empty(302) }.with("location", to.into())
}
