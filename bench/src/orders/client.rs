//! A REST client of the gateway over kept HTTP/1 connections.

use serde_json::{Value, json};
use std::error::Error;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// A client. Its clones share connections and token.
#[derive(Debug, Clone)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: Arc<RwLock<String>>,
}

/// An answer with its body read.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status; zero when there was no answer.
    pub status: u16,
    /// The body as JSON; null when it is not.
    pub body: Value,
    /// Why there was no answer.
    failure: String,
}

impl Answer {
    pub(super) fn new(status: u16, body: Value, failure: String) -> Self {
        Self { status, body, failure }
    }

    /// Whether it did what was asked.
    pub fn is_good(&self) -> bool {
        self.status == 200
    }

    /// The stable reason of an error.
    pub fn reason(&self) -> Option<&str> {
        let details = self.body["error"]["details"].as_array();
        let mut reasons = details
            .into_iter()
            .flatten()
            .filter_map(|detail| detail["reason"].as_str());
        reasons.next_back()
    }

    /// Status and stable reason of an error.
    pub fn error(&self) -> String {
        match (self.status, self.reason()) {
            (0, _) => format!("no answer: {}", self.failure),
            (status, Some(reason)) => format!("{status} {reason}"),
            (status, None) => format!("{status} {}", self.body),
        }
    }
}

impl Rest {
    /// A client without a token, of a gateway at `http://host:port`. A request that has no answer after `timeout` failed.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn new(base: &str, connections: u32, timeout: Duration) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // It is the only one of this process; a second run finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .pool_max_idle_per_host(usize::try_from(connections)?)
            .timeout(timeout)
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: Arc::default(),
        })
    }

    /// Logs in, and is that user from then on.
    ///
    /// # Errors
    /// When the login is refused, or not answered.
    pub async fn login(&self, user: &str, password: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let answer = self
            .post("/v1/auth/login", &json!({"userName": user, "password": password}))
            .await;
        let token = answer.body["tokens"]["accessToken"].as_str();
        self.set_token(token.ok_or_else(|| format!("the login was refused: {}", answer.error()))?);
        Ok(())
    }

    /// Sends this access token from now on.
    pub fn set_token(&self, token: &str) {
        *self.token.write().expect("no holder panics") = token.to_owned();
    }

    /// The access token that is sent; empty before a login.
    pub fn token(&self) -> String {
        self.token.read().expect("no holder panics").clone()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        {
            let token = self.token.read().expect("no holder panics");
            if !token.is_empty() {
                request = request.bearer_auth(&*token);
            }
        }
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        match answered.await {
            Ok((status, bytes)) => {
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                Answer::new(status, body, String::new())
            }
            Err(error) if error.is_timeout() => Answer::new(0, Value::Null, "timeout".to_owned()),
            Err(error) => Answer::new(0, Value::Null, error.without_url().to_string()),
        }
    }
}
