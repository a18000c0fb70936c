//! The calls of an org.

use std::collections::HashSet;
use std::sync::Arc;

use reqwest::{RequestBuilder, Url};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::login::{Login, Sessions, sessions};
use super::usage::{Changed, Meter};
use super::wire::{Composed, Composite, Page, Part};
use crate::connectors::http::{Answer, Platform, Usage, odd, place, push, read};

/// The call that reads who there is: what it answers has names and addresses of people in it.
pub(super) const USERS: &str = "users";
/// So many pages are read of what a query found: a page has 2,000 rows.
const PAGES_MAX: usize = 1_000;
/// Salesforce takes no more queries in one composite call, though up to 25 calls of other kinds.
const QUERIES_MAX: usize = 5;

/// How an org is called.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The version of the API: 62 is `v62.0`.
    pub version: u16,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { version: 62 }
    }
}

/// An org of Salesforce.
pub struct Org {
    platform: Arc<Platform>,
    sessions: Sessions,
    settings: Settings,
    meter: Meter,
}

impl Org {
    /// An org that nobody has called yet.
    pub fn new(platform: Arc<Platform>, login: Login, settings: Settings) -> Org {
        let sessions = sessions(Arc::clone(&platform), login);
        Org { platform, sessions, settings, meter: Meter::default() }
    }

    /// How it is reached.
    pub const fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// How much of its calls of a day is used, by all of its programs; none before the first answer.
    pub fn usage(&self) -> Option<Usage> {
        self.meter.usage()
    }

    /// Logs in, where nobody has yet.
    ///
    /// # Errors
    /// The log-in failed.
    pub async fn log_in(&self) -> Result<(), Error> {
        self.sessions.get().await.map(drop)
    }

    /// All rows that a query finds.
    ///
    /// # Errors
    /// A call failed, or a page or row is none: nothing is known.
    pub async fn query<T: DeserializeOwned>(&self, call: &'static str, soql: &str) -> Result<Vec<T>, Error> {
        let answer =
            self.call(call, |instance| Ok(self.platform.client().get(self.queried(instance, soql)))).await?;
        let page = self.read(answer)?;
        self.rest(call, page).await
    }

    /// All rows that each of some queries finds, in their order: the first pages come in one call. Each has a name of its own.
    ///
    /// # Errors
    /// A call or one of the queries failed, or a page or row is none: nothing is known.
    pub async fn queries<T: DeserializeOwned>(
        &self,
        call: &'static str,
        queries: &[(&str, &str)],
    ) -> Result<Vec<Vec<T>>, Error> {
        let mut all = Vec::with_capacity(queries.len());
        for some in queries.chunks(QUERIES_MAX) {
            let answer = self.call(call, |instance| Ok(self.composite(instance, some))).await?;
            let mut composed: Composed = self.read(answer)?;
            for (reference, _) in some {
                let parts = &mut composed.composite_response;
                let found = parts.iter().position(|part| part.reference_id == *reference);
                let part = found.map(|at| parts.swap_remove(at));
                let part = part.ok_or_else(|| odd(call, "one of its parts is not there"))?;
                let body = part.body.get();
                if !(200..300).contains(&part.http_status_code) {
                    return Err(Error::of_body(&self.platform, call, part.http_status_code, body.as_bytes()));
                }
                let page = serde_json::from_str(body);
                let page =
                    page.map_err(|why| odd(call, &format!("no page in {reference}: {}", place(&why))))?;
                all.push(self.rest(call, page).await?);
            }
        }
        Ok(all)
    }

    /// Reads something that is no query, at this path under the version.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &[&str],
    ) -> Result<T, Error> {
        let answer = self
            .call(call, |instance| {
                let mut url = self.under(instance);
                push(&mut url, path);
                Ok(self.platform.client().get(url))
            })
            .await?;
        self.read(answer)
    }

    fn read<T: DeserializeOwned>(&self, answer: Answer) -> Result<T, Error> {
        let is_secret = answer.call == USERS;
        Ok(read(&self.platform, answer, is_secret)?)
    }

    fn under(&self, instance: &Url) -> Url {
        let mut url = instance.clone();
        push(&mut url, &["services", "data", &format!("v{}.0", self.settings.version)]);
        url
    }

    fn queried(&self, instance: &Url, soql: &str) -> Url {
        let mut url = self.under(instance);
        push(&mut url, &["query"]);
        url.query_pairs_mut().append_pair("q", soql);
        url
    }

    fn composite(&self, instance: &Url, queries: &[(&str, &str)]) -> RequestBuilder {
        let mut parts = Vec::with_capacity(queries.len());
        for (reference_id, soql) in queries {
            let url = self.queried(instance, soql);
            let url = format!("{}?{}", url.path(), url.query().unwrap_or_default());
            parts.push(Part { method: "GET", url, reference_id });
        }
        let body = Composite { composite_request: parts };
        let mut url = self.under(instance);
        push(&mut url, &["composite"]);
        // A redirect would make another call of it.
        self.platform.setting_client().post(url).json(&body)
    }

    /// The rows of a page and of all that follow it.
    async fn rest<T: DeserializeOwned>(&self, call: &'static str, first: Page<T>) -> Result<Vec<T>, Error> {
        let Page { total_size, mut done, next_records_url: mut next, records: mut rows } = first;
        let mut asked = HashSet::new();
        while done != Some(true) {
            let Some(path) = next.take() else {
                if done == Some(false) {
                    return Err(odd(call, "it is not done, and there is no next page").into());
                }
                break;
            };
            if asked.len() == PAGES_MAX || asked.contains(&path) {
                return Err(odd(call, "its pages have no end").into());
            }
            let answer = self
                .call(call, |instance| Ok(self.platform.client().get(following(call, instance, &path)?)))
                .await?;
            asked.insert(path);
            let page: Page<T> = self.read(answer)?;
            rows.extend(page.records);
            (done, next) = (page.done, page.next_records_url);
        }
        if total_size.is_some_and(|total| (rows.len() as u64) < total) {
            return Err(odd(call, "it has fewer rows than it says there are").into());
        }
        Ok(rows)
    }

    /// Makes a call with the session of now; once more with another, where that is refused. What is returned is a success.
    async fn call(
        &self,
        call: &'static str,
        request: impl Fn(&Url) -> Result<RequestBuilder, Error>,
    ) -> Result<Answer, Error> {
        let mut was_refused = false;
        loop {
            let session = self.sessions.get().await?;
            self.platform.await_turn(call).await?;
            let request = request(&session.instance)?.bearer_auth(session.token.expose_secret());
            let answer = self.platform.send(call, request).await?;
            self.note(&answer);
            match answer.status {
                200..300 => return Ok(answer),
                401 if !was_refused => {
                    was_refused = true;
                    self.sessions.is_none(&session);
                }
                _ => return Err(Error::of(&self.platform, &answer)),
            }
        }
    }

    /// Takes note of what is used.
    fn note(&self, answer: &Answer) {
        let changed = answer.limit_info.as_deref().and_then(|text| self.meter.note(text));
        let Some(Changed { usage, passed }) = changed else { return };
        self.platform.observer().usage(usage);
        if let Some(percent) = passed {
            let Usage { used, max } = usage;
            tracing::warn!(
                used,
                max,
                "{percent} % of the org's API calls of a day are used, by all of its programs"
            );
        }
    }
}

/// The address of a next page, which is told without a host. A token goes nowhere else.
fn following(call: &'static str, instance: &Url, path: &str) -> Result<Url, Error> {
    let elsewhere = || odd(call, "its next page is at another host");
    if !path.starts_with('/') {
        return Err(elsewhere().into());
    }
    let next = instance.join(path).ok().filter(|next| next.origin() == instance.origin());
    Ok(next.ok_or_else(elsewhere)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_at_the_same_host() {
        let instance: Url = "https://acme.my.salesforce.com/".parse().unwrap();
        for (path, expected) in [
            (
                "/services/data/v62.0/query/01g-2000",
                Some("https://acme.my.salesforce.com/services/data/v62.0/query/01g-2000"),
            ),
            ("//evil.example.com/services", None),
            ("/\\evil.example.com/services", None),
            ("https://acme.my.salesforce.com/services", None),
            ("https://evil.example.com/services", None),
            ("query/01g", None),
            ("", None),
        ] {
            let found = following("presence", &instance, path).ok();
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{path}");
        }
    }
}
