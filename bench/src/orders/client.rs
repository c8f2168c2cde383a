//! A REST client of the gateway over kept HTTP/1 connections.

use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;

/// A request that has no answer after this failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status; zero when there was no answer.
    pub(crate) status: u16,
    /// The body as JSON; null when it is not.
    pub(crate) body: Value,
    /// Why there was no answer.
    failure: String,
}

impl Answer {
    /// Whether it did what was asked.
    pub(crate) fn is_good(&self) -> bool {
        self.status == 200
    }

    /// Status and stable reason of an error.
    pub(crate) fn error(&self) -> String {
        let details = self.body["error"]["details"].as_array();
        let reason = details
            .into_iter()
            .flatten()
            .filter_map(|detail| detail["reason"].as_str())
            .next_back();
        match (self.status, reason) {
            (0, _) => format!("no answer: {}", self.failure),
            (status, Some(reason)) => format!("{status} {reason}"),
            (status, None) => format!("{status} {}", self.body),
        }
    }
}

impl Rest {
    /// Logs in as the admin.
    ///
    /// # Errors
    /// When the client cannot be built or the login is refused.
    pub(crate) async fn login(
        base: &str,
        password: &str,
        connections: u32,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // It is the only one of this process; a second run finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .pool_max_idle_per_host(usize::try_from(connections)?)
            .timeout(TIMEOUT)
            .build()?;
        let mut rest = Self {
            http,
            base: base.to_owned(),
            token: String::new(),
        };
        let answer = rest
            .post("/v1/auth/login", &json!({"userName": "admin", "password": password}))
            .await;
        let token = answer.body["tokens"]["accessToken"].as_str();
        rest.token = token
            .ok_or_else(|| format!("the login was refused: {}", answer.error()))?
            .to_owned();
        Ok(rest)
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// POST with JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        match answered.await {
            Ok((status, bytes)) => {
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                Answer {
                    status,
                    body,
                    failure: String::new(),
                }
            }
            Err(error) => {
                let failure = if error.is_timeout() {
                    "timeout".to_owned()
                } else {
                    error.without_url().to_string()
                };
                Answer {
                    status: 0,
                    body: Value::Null,
                    failure,
                }
            }
        }
    }
}
