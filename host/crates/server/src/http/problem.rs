//! What went wrong, as `application/problem+json` (RFC 9457) with a sentence for people.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::commands::{NO_SEAL, NOT_SEALED, VALUE_TOO_LARGE};
use crate::users::Refused;

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What comes of a request.
pub(super) type Answer<T = Response> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            header: None,
        }
    }

    /// The request itself is wrong.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The address is no text.
    pub(super) fn of_path(rejected: PathRejection) -> Self {
        Self::bad(rejected.body_text())
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// A condition of the request does not hold.
    pub(super) fn precondition() -> Self {
        let detail = "the value is not what If-Match or If-None-Match asks for";
        Self::new(StatusCode::PRECONDITION_FAILED, detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// There is no room for what the request would hold while it is answered.
    pub(super) fn buffers_full() -> Self {
        let detail = "the buffers of all clients are full (limits.client_buffers_max); try again";
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// Somebody is not signed in.
    pub(super) fn of_refused(refused: Refused) -> Self {
        match refused {
            Refused::LockedOut { left_ms } => Self {
                header: Some((RETRY_AFTER, left_ms.div_ceil(1000).into())),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many wrong passwords from your address",
                )
            },
            Refused::Wrong | Refused::Busy => Self::of_reply(&refused.text()),
        }
    }

    /// The tenant has used up its requests for so long.
    pub(super) fn used_up(left: Duration) -> Self {
        let seconds = left.as_secs() + 1;
        let detail = format!("the tenant has used up its requests (max_ops_s) for {seconds} s");
        Self {
            header: Some((RETRY_AFTER, seconds.into())),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// Nobody is named, or not with the right password.
    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        let challenge = "Basic realm=\"larder\", charset=\"UTF-8\"";
        Self {
            header: Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge))),
            ..Self::new(StatusCode::UNAUTHORIZED, detail)
        }
    }

    /// What an error reply comes to; its first word is its code.
    pub(super) fn of_reply(text: &str) -> Self {
        let (code, detail) = text.split_once(' ').unwrap_or(("", text));
        let status = match code {
            "OOM" => StatusCode::INSUFFICIENT_STORAGE,
            "NOAUTH" | "WRONGPASS" => return Self::unauthorized(detail),
            "NOPERM" => StatusCode::FORBIDDEN,
            "BUSY" | "LOADING" | "TRYAGAIN" => StatusCode::SERVICE_UNAVAILABLE,
            "UNCERTAIN" => StatusCode::GATEWAY_TIMEOUT,
            _ if text == NO_SEAL || text.starts_with(NOT_SEALED) => StatusCode::CONFLICT,
            _ if text.starts_with(VALUE_TOO_LARGE) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, detail)
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let page = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, format!("{page}\n")).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
