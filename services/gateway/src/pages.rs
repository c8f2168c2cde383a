//! What a browser sees: the OpenAPI page, and Swagger UI on it. Both are in the binary, so they work offline.

use crate::Gateway;
use axum::Router;
use axum::response::IntoResponse;
use http::{HeaderValue, header};
use std::sync::Arc;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Answers of the API are data: a browser shows none of them as a page.
pub(crate) const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Swagger UI runs its own scripts, and draws with inline styles and data images.
const DOCS_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// Swagger UI below `/docs`.
pub(crate) fn docs() -> Router<Arc<Gateway>> {
    let page = SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"));
    Router::from(page).layer(SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(DOCS_POLICY),
    ))
}

/// The OpenAPI page.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], crate::OPENAPI_JSON)
}
