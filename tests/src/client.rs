//! A REST client of the gateway, as a stranger would write one: JSON in, JSON out, a token in the header.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with or without a token.
#[derive(Debug, Clone)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as JSON; null when it is not.
    pub body: Value,
}

impl Answer {
    /// The stable reason of an error.
    pub fn reason(&self) -> &str {
        let details = self.body["error"]["details"].as_array();
        let mut reasons = details
            .into_iter()
            .flatten()
            .filter_map(|detail| detail["reason"].as_str());
        reasons.next_back().unwrap_or_default()
    }
}

impl Rest {
    /// A client without a token.
    ///
    /// # Panics
    /// When TLS cannot be set up.
    pub fn new(base: &str) -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::new(),
            base: base.to_owned(),
            token: None,
        }
    }

    /// A client that sends this token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Logs in, and is that user from then on.
    ///
    /// # Panics
    /// When the login is refused.
    pub async fn login(&self, user: &str, password: &str) -> Self {
        let answer = self
            .post("/v1/auth/login", &json!({"userName": user, "password": password}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.with_token(
            answer.body["tokens"]["accessToken"]
                .as_str()
                .expect("a login gives a token"),
        )
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body.to_string())).await
    }

    /// Any method, with a body as it is.
    ///
    /// # Panics
    /// When the gateway does not answer.
    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        let method = method.parse().expect("a method is a token");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.expect("the gateway answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("an answer has a body");
        Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }

    /// GETs until the answer is as wanted.
    ///
    /// # Panics
    /// When it never is.
    pub async fn get_until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.get(path).await;
            if answer.status == 200 && is_wanted(&answer.body) {
                return answer.body;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{path} never became as wanted: {}",
                answer.body
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
