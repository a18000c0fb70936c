//! A schema registry that speaks the Confluent HTTP API: what we register, and what others have.

#![allow(
    clippy::result_large_err,
    reason = "each of these waited for a network before; the rest of the room boxes them"
)]

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Error;
use super::schema::{SchemaError, Writer};
use crate::domain::Remedy;

/// How long an answer may take, unless told otherwise.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer may have so many bytes: a schema, quoted as JSON, and some more.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long an id counts as unknown before the registry is asked again.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// So many ids are remembered, known and unknown alike.
const IDS_MAX: u64 = 10_000;
/// The media type of the API.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Why the registry could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Its address is on another machine and not encrypted.
    #[error(
        "{0} is on another machine and not encrypted: write https, or allow it with allow_plaintext = true"
    )]
    Plaintext(Url),
    /// It did not answer, or not to the end.
    #[error("{operation}: no answer from {url}: {why}")]
    Unreachable {
        /// What was asked.
        operation: String,
        /// Where.
        url: Url,
        /// Why.
        why: String,
    },
    /// It answered that it cannot just now.
    #[error("{operation}: {url} answered {status}: it is busy or out of order")]
    Unavailable {
        /// What was asked.
        operation: String,
        /// Where.
        url: Url,
        /// The HTTP status.
        status: u16,
    },
    /// It answered that it will not.
    #[error("{operation}: {url} answered {status}: {message}")]
    Refused {
        /// What was asked.
        operation: String,
        /// Where.
        url: Url,
        /// The HTTP status.
        status: u16,
        /// What it said, or how to mend it.
        message: String,
    },
    /// It answered something that a schema registry does not answer.
    #[error(
        "{operation}: {url} does not answer as a schema registry does ({why}): is schema_registry its address?"
    )]
    Odd {
        /// What was asked.
        operation: String,
        /// Where.
        url: Url,
        /// What is odd.
        why: String,
    },
}

impl RegistryError {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            RegistryError::Unreachable { .. } | RegistryError::Unavailable { .. } => Remedy::Retry,
            RegistryError::Plaintext(_) | RegistryError::Refused { .. } | RegistryError::Odd { .. } => {
                Remedy::Stop
            }
        }
    }
}

/// With whom the registry knows us.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user, or the name of an API key.
    pub user: String,
    /// The password, or the secret of an API key.
    pub password: SecretString,
}

/// A schema registry.
pub struct Registry {
    client: Client,
    url: Url,
    credentials: Option<Credentials>,
    timeout: Duration,
    schemas: Cache<i32, Result<Arc<Writer>, SchemaError>>,
    unknown: Cache<i32, ()>,
}

/// It shows its address, never its credentials.
impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Registration<'t> {
    schema: &'t str,
}

#[derive(Deserialize)]
struct Registered {
    id: i32,
}

#[derive(Deserialize)]
struct Found {
    schema: String,
    #[serde(default, rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde::de::IgnoredAny>,
}

/// How a registry refuses. Who answers otherwise, be it with the same status, is none.
#[derive(Deserialize)]
struct Complaint {
    #[serde(rename = "error_code")]
    _code: i64,
    message: String,
}

impl Complaint {
    fn of(body: &[u8]) -> Option<Complaint> {
        serde_json::from_slice(body).ok()
    }
}

impl Registry {
    /// The registry at this address.
    ///
    /// # Errors
    /// The address is on another machine and not encrypted, and that is not allowed.
    pub fn new(
        url: Url,
        credentials: Option<Credentials>,
        allow_plaintext: bool,
    ) -> Result<Registry, RegistryError> {
        if url.scheme() != "https" && !allow_plaintext && !is_loopback(&url) {
            return Err(RegistryError::Plaintext(url));
        }
        // A registry sends nobody elsewhere, least of all to where it is not encrypted.
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // It is asked seldom, and a connection serves only while the runtime is driven that made it.
            .pool_max_idle_per_host(0)
            .build();
        let client = client.map_err(|error| RegistryError::Unreachable {
            operation: "preparing TLS".to_owned(),
            url: url.clone(),
            why: reason(&error),
        })?;
        let schemas = Cache::new(IDS_MAX);
        let unknown = Cache::builder().max_capacity(IDS_MAX).time_to_live(UNKNOWN_FOR).build();
        Ok(Registry { client, url, credentials, timeout: ANSWER_TIMEOUT, schemas, unknown })
    }

    /// The same, where an answer may take so long, from the first byte sent to the last received.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Registry {
        self.timeout = timeout;
        self
    }

    /// Registers a schema for a subject and tells its id; it is the same id when it was registered before.
    pub(super) async fn register(&self, subject: &str, schema: &str) -> Result<i32, RegistryError> {
        let operation = format!("registering the schema of {subject}");
        let url = self.path(&["subjects", subject, "versions"]);
        let request = self.client.post(url.clone()).json(&Registration { schema });
        let (status, body) = self.ask(&operation, &url, request).await?;
        let Registered { id } = if status == StatusCode::OK {
            parsed(&operation, &url, &body)?
        } else {
            return Err(self.refused(operation, url, status, &body));
        };
        Ok(id)
    }

    /// Whether a schema is registered for a subject. Nothing is registered by it.
    pub(super) async fn has(&self, subject: &str, schema: &str) -> Result<bool, RegistryError> {
        let operation = format!("looking up the schema of {subject}");
        let url = self.path(&["subjects", subject]);
        let request = self.client.post(url.clone()).json(&Registration { schema });
        let (status, body) = self.ask(&operation, &url, request).await?;
        match status {
            StatusCode::OK => parsed::<Registered>(&operation, &url, &body).map(|_| true),
            // Neither the subject nor the schema is known: only a registry says that.
            StatusCode::NOT_FOUND if Complaint::of(&body).is_some() => Ok(false),
            status => Err(self.refused(operation, url, status, &body)),
        }
    }

    /// The schema with this id, if it was loaded.
    pub(super) fn loaded(&self, id: i32) -> Result<Arc<Writer>, Error> {
        match self.schemas.get(&id) {
            Some(known) => known.map_err(Error::Schema),
            None if self.unknown.contains_key(&id) => Err(Error::UnknownId(id)),
            None => Err(Error::NotLoaded(id)),
        }
    }

    /// Whether it is the same as another.
    pub(super) fn is(&self, other: &Registry) -> bool {
        self.url == other.url
    }

    /// Fetches the schema with this id, and remembers what came of it.
    pub(super) async fn load(&self, id: i32) -> Result<(), RegistryError> {
        let operation = format!("looking up the schema with id {id}");
        let url = self.path(&["schemas", "ids", &id.to_string()]);
        let (status, body) = self.ask(&operation, &url, self.client.get(url.clone())).await?;
        match status {
            StatusCode::OK => {
                let found: Found = parsed(&operation, &url, &body)?;
                self.schemas.insert(id, usable(&found).map(Arc::new));
            }
            // Only a registry knows that: what it says of an id, a record is rejected by.
            StatusCode::NOT_FOUND if Complaint::of(&body).is_some() => self.unknown.insert(id, ()),
            status => return Err(self.refused(operation, url, status, &body)),
        }
        Ok(())
    }

    fn path(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Sends a request; an answer that says "not now" is an error here.
    async fn ask(
        &self,
        operation: &str,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), RegistryError> {
        let request = request.timeout(self.timeout).header(reqwest::header::ACCEPT, MEDIA_TYPE);
        let request = match &self.credentials {
            Some(known) => request.basic_auth(&known.user, Some(known.password.expose_secret())),
            None => request,
        };
        let unreachable = |why: String| RegistryError::Unreachable {
            operation: operation.to_owned(),
            url: url.clone(),
            why,
        };
        let response = request.send().await.map_err(|error| unreachable(reason(&error)))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let (operation, url, status) = (operation.to_owned(), url.clone(), status.as_u16());
            return Err(RegistryError::Unavailable { operation, url, status });
        }
        let body = body(response).await.map_err(|error| unreachable(reason(&error)))?;
        let body = body.ok_or_else(|| RegistryError::Odd {
            operation: operation.to_owned(),
            url: url.clone(),
            why: format!("more than {ANSWER_BYTES_MAX} bytes"),
        })?;
        Ok((status, body))
    }

    fn refused(&self, operation: String, url: Url, status: StatusCode, body: &[u8]) -> RegistryError {
        let message = match status {
            StatusCode::UNAUTHORIZED if self.credentials.is_none() => {
                "it wants a user and a password: set schema_registry_user and schema_registry_password".to_owned()
            }
            StatusCode::UNAUTHORIZED => {
                "it does not accept schema_registry_user and schema_registry_password".to_owned()
            }
            StatusCode::FORBIDDEN => "the user may not do that: grant it in the registry".to_owned(),
            StatusCode::CONFLICT => {
                "an incompatible schema stands under this subject: another program, or a newer Lockstep, uses it; set another bus prefix".to_owned()
            }
            status => match Complaint::of(body) {
                Some(complaint) => complaint.message,
                None => return RegistryError::Odd { operation, url, why: format!("it answered {status}") },
            },
        };
        RegistryError::Refused { operation, url, status: status.as_u16(), message }
    }
}

/// The body, if it is not too long.
async fn body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn parsed<T: for<'de> Deserialize<'de>>(operation: &str, url: &Url, body: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(body).map_err(|error| RegistryError::Odd {
        operation: operation.to_owned(),
        url: url.clone(),
        why: error.to_string(),
    })
}

fn usable(found: &Found) -> Result<Writer, SchemaError> {
    match found.schema_type.as_deref() {
        None | Some("AVRO") if found.references.is_empty() => Writer::of_other(&found.schema),
        None | Some("AVRO") => Err(SchemaError::Avro("it refers to other schemas".to_owned())),
        Some(other) => Err(SchemaError::Avro(format!("it is a schema of the type {other}"))),
    }
}

/// The innermost reason of an error of the client: the outer ones only repeat the address.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
