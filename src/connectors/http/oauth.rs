//! The bridge from oauth2 to our own client: within the budget, watched, and without a secret in what is said of it.

use std::pin::Pin;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::{
    AsyncHttpClient, EndpointNotSet, HttpRequest, HttpResponse, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse,
};
use secrecy::{ExposeSecret, SecretString};

use super::client::{Answer, Platform};
use super::error::Error;
use super::read::odd;

/// The call that gets a token.
pub(in crate::connectors) const TOKEN: &str = "token";

/// What a token endpoint gives, with what the platform adds to it.
pub(in crate::connectors) type Given<X> = StandardTokenResponse<X, BasicTokenType>;

/// oauth2's client of a platform whose tokens have these further fields; with `T` set it knows where tokens are.
pub(in crate::connectors) type Client<X, T = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    Given<X>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    T,
>;

/// The platform, as oauth2 calls it.
pub(in crate::connectors) struct Through<'p, F> {
    /// Who is called.
    pub(in crate::connectors) platform: &'p Platform,
    /// What stands in `Authorization`; none where the body says who calls.
    pub(in crate::connectors) authorization: Option<SecretString>,
    /// What an answer says that is no token.
    pub(in crate::connectors) refused: F,
}

impl<'c, E, F> AsyncHttpClient<'c> for Through<'_, F>
where
    E: From<Error> + std::error::Error + Send + 'static,
    F: Fn(&Platform, Answer) -> E + Sync,
{
    type Error = E;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, E>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Some(authorization) = &self.authorization {
                let mut value =
                    HeaderValue::from_str(authorization.expose_secret()).map_err(|_| Error::Setting {
                        what: "client_id or client_secret".to_owned(),
                        why: "it has characters that no header has".to_owned(),
                    })?;
                value.set_sensitive(true);
                parts.headers.insert(AUTHORIZATION, value);
            }
            let client = self.platform.client();
            let request =
                client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = self.platform.send(TOKEN, request).await?;
            if answer.status != 200 {
                return Err((self.refused)(self.platform, answer));
            }
            Ok(HttpResponse::new(answer.body))
        })
    }
}

/// What went wrong with a grant. What oauth2 quotes of an answer may be a token.
pub(in crate::connectors) fn of_grant<E: From<Error> + std::error::Error + 'static>(
    error: RequestTokenError<E, BasicErrorResponse>,
) -> E {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            odd(TOKEN, "it is no token").into()
        }
    }
}
