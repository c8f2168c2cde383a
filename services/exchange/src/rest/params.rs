//! Request parameters: query string and form body, and what was signed.

use crate::core::units::{self, Atoms};
use crate::error::ApiError;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// Parameters that one request may carry.
const MOST: usize = 64;

/// What a client order id may look like.
const CLIENT_ID_SHAPE: &str = "^[a-zA-Z0-9-_\\.:/]{1,36}$";

/// What a whole number may look like.
const NUMBER_SHAPE: &str = "^[0-9]{1,20}$";

/// The decoded parameters of one request.
#[derive(Debug, Default)]
pub struct Params {
    values: BTreeMap<String, String>,
    payload: String,
}

impl Params {
    /// Reads the query string and then the body, both `name=value&…`, percent-encoded.
    pub fn read(query: &str, body: &str) -> Result<Self, ApiError> {
        let mut params = Self::default();
        for part in [query, body] {
            params.payload.push_str(&unsigned(part));
            for pair in part.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                // base64 holds plus signs, and some clients send them as they are
                let spaced = if name == "signature" {
                    value.to_owned()
                } else {
                    value.replace('+', " ")
                };
                let repeated = params.values.insert(decode(name)?, decode(&spaced)?).is_some();
                if repeated {
                    return Err(ApiError::bad(-1101, "Duplicate values for a parameter detected."));
                }
                if params.values.len() > MOST {
                    let message = format!("Too many parameters; expected '{MOST}' and received more.");
                    return Err(ApiError::bad(-1101, message));
                }
            }
        }
        Ok(params)
    }

    /// The parameters of a WebSocket API request, whose signed form is sorted by name.
    pub fn sorted(values: BTreeMap<String, String>) -> Self {
        let signed: Vec<String> = values
            .iter()
            .filter(|(name, _)| *name != "signature")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Self {
            payload: signed.join("&"),
            values,
        }
    }

    /// What the signature covers: query string and body as sent, without the signature.
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// A parameter that may be absent; sent empty is a refusal.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.values.get(name).map(String::as_str) {
            Some("") => Err(ApiError::bad(-1105, format!("Parameter '{name}' was empty."))),
            other => Ok(other),
        }
    }

    /// A parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ApiError::missing(name))
    }

    /// An unsigned decimal.
    pub fn decimal(&self, name: &str) -> Result<Option<Atoms>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        units::parse(text)
            .map(Some)
            .map_err(|fault| ApiError::decimal(name, fault))
    }

    /// A decimal that must be there and above zero.
    pub fn required_decimal(&self, name: &str) -> Result<Atoms, ApiError> {
        self.required(name)?;
        self.decimal(name)?
            .filter(|amount| *amount > 0)
            .ok_or_else(|| ApiError::missing(name))
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.len() > 20 {
            return Err(ApiError::illegal(name, NUMBER_SHAPE));
        }
        let overflow = || ApiError::bad(-1108, format!("Parameter '{name}' overflowed."));
        text.parse().map(Some).map_err(|_| overflow())
    }

    /// How many entries are asked for; more than `most` counts as `most`, as Binance does.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        match self.number("limit")? {
            None => Ok(default),
            Some(0) => Err(ApiError::bad(-1130, "Data sent for parameter 'limit' is not valid.")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(most).min(most)),
        }
    }

    /// A client order id.
    pub fn client_id(&self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(id) = self.text(name)? else { return Ok(None) };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if id.len() > 36 || !id.bytes().all(legal) {
            return Err(ApiError::illegal(name, CLIENT_ID_SHAPE));
        }
        Ok(Some(id.to_owned()))
    }

    /// `symbols`, a JSON array of names.
    pub fn symbols(&self) -> Result<Option<Vec<String>>, ApiError> {
        let Some(text) = self.text("symbols")? else {
            return Ok(None);
        };
        let invalid = |_| ApiError::illegal("symbols", "^\\[(\"[A-Z0-9]{1,20}\")(,\"[A-Z0-9]{1,20}\")*\\]$");
        serde_json::from_str(text).map(Some).map_err(invalid)
    }
}

fn unsigned(part: &str) -> String {
    let kept: Vec<&str> = part.split('&').filter(|pair| !pair.starts_with("signature=")).collect();
    kept.join("&")
}

fn decode(text: &str) -> Result<String, ApiError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| ApiError::bad(-1100, "Illegal characters found in a parameter."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_what_was_sent_without_the_signature() {
        let params = Params::read("symbol=A%20B&signature=xx&side=BUY", "q=1").unwrap();
        assert_eq!(params.payload(), "symbol=A%20B&side=BUYq=1");
        let refused = Params::read("a=1", "a=2").unwrap_err();
        assert_eq!(refused.code, -1101);
        let params = Params::read("symbol=A%20B&signature=a%2Bb", "q=1+2").unwrap();
        assert_eq!(params.required("symbol").unwrap(), "A B");
        assert_eq!(params.required("signature").unwrap(), "a+b");
        assert_eq!(params.required("q").unwrap(), "1 2");
    }

    #[test]
    fn each_kind_is_checked() {
        let read = |query: &str| Params::read(query, "").unwrap();
        assert_eq!(Params::read("a=%ff", "").unwrap_err().code, -1100);
        assert_eq!(read("a=").text("a").unwrap_err().code, -1105);
        assert_eq!(read("").required("a").unwrap_err().code, -1102);
        assert_eq!(read("a=x").decimal("a").unwrap_err().code, -1100);
        assert_eq!(read("a=0.123456789").decimal("a").unwrap_err().code, -1111);
        assert_eq!(read("a=0").required_decimal("a").unwrap_err().code, -1102);
        assert_eq!(read("").decimal("a").unwrap(), None);
        assert_eq!(read("a=1x").number("a").unwrap_err().code, -1100);
        assert_eq!(read("a=99999999999999999999").number("a").unwrap_err().code, -1108);
        assert_eq!(read("").limit(5, 10).unwrap(), 5);
        assert_eq!(read("limit=50").limit(5, 10).unwrap(), 10);
        assert_eq!(read("limit=0").limit(5, 10).unwrap_err().code, -1130);
        assert_eq!(read("id=a%20b").client_id("id").unwrap_err().code, -1100);
        assert_eq!(
            read("id=a-b_c.d:e/1").client_id("id").unwrap().as_deref(),
            Some("a-b_c.d:e/1")
        );
        assert_eq!(
            read("symbols=%5B%22A%22%5D").symbols().unwrap(),
            Some(vec!["A".to_owned()])
        );
        assert_eq!(read("symbols=A").symbols().unwrap_err().code, -1100);
        let many: String = (0..70).map(|n| format!("p{n}=1&")).collect();
        assert_eq!(Params::read(&many, "").unwrap_err().code, -1101);
    }
}
