//! Who makes a request. spec: `client-server-api §client-authentication`

use http::header;
use selvage_event::UserId;
use selvage_protocol::errcode;
use selvage_protocol::room::Viewer;
use selvage_protocol::user::{Authenticate, Bucket, Session};
use serde::Deserialize;

use crate::call::Call;
use crate::{ApiError, Host, token};

/// A token that a request came with: whose it claims to be, and its hash.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) user_id: UserId,
    pub(crate) token_hash: String,
}

/// The parameter of the query in which clients of old send the token.
#[derive(Deserialize)]
struct TokenQuery {
    access_token: Option<String>,
}

impl<H: Host> Call<H> {
    /// Whose token the request came with. Whether it is good is not known yet.
    ///
    /// # Errors
    /// `M_MISSING_TOKEN` without one, `M_UNKNOWN_TOKEN` when it is none of this server's.
    pub(crate) fn credentials(&self) -> Result<Credentials, ApiError> {
        let token = self.token()?;
        let user_id = token::claimed_user(&token, self.gateway.server_name()).ok_or_else(unknown_token)?;
        Ok(Credentials {
            user_id,
            token_hash: token::hash(&token),
        })
    }

    fn token(&self) -> Result<String, ApiError> {
        let header = self
            .head
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        if let Some(token) = header.and_then(bearer) {
            return Ok(token.to_owned());
        }
        let query: TokenQuery = self.query().unwrap_or(TokenQuery { access_token: None });
        query
            .access_token
            .ok_or_else(|| ApiError::new(errcode::MISSING_TOKEN, "the access token is missing"))
    }

    /// Who makes the request.
    ///
    /// # Errors
    /// As for [`Call::credentials`], and `M_UNKNOWN_TOKEN` when the token is not good.
    pub(crate) async fn session(&self) -> Result<Session, ApiError> {
        self.authenticate(None).await
    }

    /// Who makes the request, which counts against a bucket when there are rate limits.
    ///
    /// # Errors
    /// As for [`Call::session`], and `M_LIMIT_EXCEEDED`.
    pub(crate) async fn counted_session(&self, bucket: Bucket) -> Result<Session, ApiError> {
        self.authenticate(self.gateway.settings().rate_limits.then_some(bucket))
            .await
    }

    async fn authenticate(&self, bucket: Option<Bucket>) -> Result<Session, ApiError> {
        let Credentials { user_id, token_hash } = self.credentials()?;
        let command = Authenticate { token_hash, bucket };
        Ok(self.gateway.ask_user(user_id.as_str(), command).await?)
    }

    /// Who makes the request, who must be the user that the path names first.
    ///
    /// # Errors
    /// As for [`Call::session`], and `M_FORBIDDEN` for another user.
    pub(crate) async fn session_of_arg(&self) -> Result<Session, ApiError> {
        let session = self.session().await?;
        if session.user_id == self.arg(0) {
            return Ok(session);
        }
        Err(ApiError::forbidden("this belongs to another user"))
    }
}

/// The token in an `Authorization` header; the scheme's name may be in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn unknown_token() -> ApiError {
    ApiError::new(errcode::UNKNOWN_TOKEN, "the access token is not known")
}

/// Who reads.
pub(crate) fn viewer(session: &Session) -> Viewer {
    Viewer {
        user_id: session.user_id.clone(),
        device_id: session.device_id.clone(),
    }
}
