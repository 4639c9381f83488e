//! `/openapi.json`: the description of the API, as it is kept in the repository.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

pub(super) async fn page() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION)
}
