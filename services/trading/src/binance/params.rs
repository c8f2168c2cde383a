//! The parameters of a request, and their two signed forms.
//!
//! Over REST the signature covers the query string as it is sent, over the WebSocket API all parameters in alphabetical
//! order: sorted in both cases, they need one form less. Source: Binance, "REST API" and "WebSocket API", signed requests.

use super::keys::Key;
use domain::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Parameters by name. Values are names, decimals and whole numbers: nothing in them needs an escape in a URL.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(BTreeMap<&'static str, Value>);

impl Params {
    /// With one more, as text.
    pub(super) fn text(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.insert(name, Value::String(value.to_string()));
        self
    }

    /// With one more, as a whole number.
    pub(super) fn number(mut self, name: &'static str, value: impl Into<i64>) -> Self {
        self.0.insert(name, Value::from(value.into()));
        self
    }

    /// With a time of the venue, and for how long from then on the request is good.
    pub(super) fn timed(self, time: Timestamp, recv_window_ms: u32) -> Self {
        self.number("timestamp", time.as_millis())
            .number("recvWindow", recv_window_ms)
    }

    /// As the query string of a URL.
    pub(super) fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in &self.0 {
            let separator = if query.is_empty() { "" } else { "&" };
            query.extend([separator, name, "="]);
            match value {
                Value::String(text) => query.push_str(text),
                number => query.push_str(&number.to_string()),
            }
        }
        query
    }

    /// As the query string of a signed request over REST.
    pub(super) fn signed_query(&self, key: &Key) -> String {
        let query = self.query();
        let signature = key.sign(&query);
        query + "&signature=" + &signature
    }

    /// As the `params` of a signed request over the WebSocket API.
    pub(super) fn signed_json(&self, key: &Key) -> String {
        let named = self.clone().text("apiKey", &key.api_key);
        let signature = key.sign(&named.query());
        let Params(signed) = named.text("signature", signature);
        Value::from_iter(signed).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Params;
    use crate::binance::keys::Key;
    use domain::Timestamp;
    use serde_json::{Value, json};

    #[test]
    fn each_way_signs_what_it_sends() {
        let params = || {
            Params::default()
                .text("symbol", "BTCUSDT")
                .text("price", "99.5")
                .timed(Timestamp::from_millis(7), 5_000)
        };
        let key = Key::new("the-key", "the-secret");
        let query = "price=99.5&recvWindow=5000&symbol=BTCUSDT&timestamp=7";
        assert_eq!(params().query(), query);
        assert_eq!(
            params().signed_query(&key),
            format!("{query}&signature={}", key.sign(query))
        );
        let signed: Value = serde_json::from_str(&params().signed_json(&key)).unwrap();
        assert_eq!(
            signed,
            json!({
                "apiKey": "the-key", "price": "99.5", "recvWindow": 5_000, "symbol": "BTCUSDT", "timestamp": 7,
                "signature": key.sign(&format!("apiKey=the-key&{query}")),
            })
        );
    }
}
