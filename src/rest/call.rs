//! One REST call: what came over HTTP, turned into a typed request.

use bytes::Bytes;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tonic::metadata::MetadataMap;

use super::Transport;
use crate::error::{Error, Result};

/// The most query parameters of a request.
const MAX_PARAMETERS: usize = 2048;

/// What came over HTTP, beside method and path.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The query as it came, without the question mark.
    pub query: Option<String>,
    /// The HTTP headers; `content-type` and `last-event-id` are read.
    pub headers: HeaderMap,
    /// The whole body; whoever reads it bounds it.
    pub body: Bytes,
    /// What to send along to the service, such as the request id.
    pub metadata: MetadataMap,
}

/// A call on its way into a handler.
#[derive(Debug)]
pub struct Call {
    variables: Vec<String>,
    input: Input,
    transport: Transport,
}

/// A field that path or query may fill.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name in JSON, with dots between messages.
    pub name: &'static str,
    /// Its name in the proto.
    pub proto_name: &'static str,
    /// Whether it may come more than once.
    pub repeated: bool,
}

/// A value that does not fit its field, and what would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

impl Call {
    pub(super) fn new(variables: Vec<String>, input: Input, transport: Transport) -> Call {
        Call {
            variables,
            input,
            transport,
        }
    }

    /// The way to the service.
    pub fn transport(&self) -> Transport {
        self.transport.clone()
    }

    /// The request with its metadata.
    pub fn request<T>(self, message: T) -> tonic::Request<T> {
        tonic::Request::from_parts(self.input.metadata, tonic::Extensions::default(), message)
    }

    /// Refuses a body where none is taken.
    ///
    /// # Errors
    /// `UNEXPECTED_BODY`.
    pub fn no_body(&self) -> Result<()> {
        if self.input.body.is_empty() {
            return Ok(());
        }
        Err(Error::invalid("UNEXPECTED_BODY", "this call takes no body"))
    }

    /// Reads the body as a message; an empty body is none.
    ///
    /// # Errors
    /// `UNSUPPORTED_MEDIA_TYPE` unless it is JSON; `MALFORMED_JSON`; `UNKNOWN_FIELD`, `DUPLICATE_FIELD`,
    /// `UNKNOWN_ENUM_VALUE` and `INVALID_FIELD` when it is not this message.
    pub fn body<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        if self.input.body.is_empty() {
            return Ok(None);
        }
        if !is_json(&self.input.headers) {
            return Err(Error::invalid(
                "UNSUPPORTED_MEDIA_TYPE",
                "the body must be application/json",
            ));
        }
        if names_nul(&self.input.body) {
            return Err(Error::invalid(
                "INVALID_FIELD",
                "text must not contain the character U+0000",
            ));
        }
        serde_json::from_slice(&self.input.body)
            .map(Some)
            .map_err(|error| json_error(&error))
    }

    /// Sets what path and query say. `set` is called with the index of the parameter, the path's first.
    ///
    /// # Errors
    /// `UNKNOWN_PARAMETER`, `DUPLICATE_PARAMETER`, `INVALID_PARAMETER` and `MALFORMED_QUERY`, with the name in `field`.
    pub fn bind(
        &self,
        path: &[Parameter],
        query: &[Parameter],
        mut set: impl FnMut(usize, &str) -> Result<(), Misfit>,
    ) -> Result<()> {
        for (index, value) in self.variables.iter().enumerate() {
            set(index, value).map_err(|misfit| misfit_error(path[index].name, misfit))?;
        }
        let mut seen = vec![false; query.len()];
        for (name, value) in parameters(self.input.query.as_deref().unwrap_or_default())? {
            let known = query
                .iter()
                .position(|parameter| parameter.name == name || parameter.proto_name == name);
            let index = known.ok_or_else(|| {
                Error::invalid("UNKNOWN_PARAMETER", format!("'{name}' is no parameter of this call"))
                    .with("field", &name)
            })?;
            if seen[index] && !query[index].repeated {
                let message = format!("'{name}' came more than once");
                return Err(Error::invalid("DUPLICATE_PARAMETER", message).with("field", name));
            }
            seen[index] = true;
            set(path.len() + index, &value).map_err(|misfit| misfit_error(&name, misfit))?;
        }
        self.resume(path, query, &seen, set)
    }

    /// A browser that reconnects to a stream names the last event that it saw: continue after it.
    fn resume(
        &self,
        path: &[Parameter],
        query: &[Parameter],
        seen: &[bool],
        mut set: impl FnMut(usize, &str) -> Result<(), Misfit>,
    ) -> Result<()> {
        let Some(header) = self.input.headers.get("last-event-id") else {
            return Ok(());
        };
        let Some(index) = query
            .iter()
            .position(|parameter| parameter.proto_name == "from_sequence")
        else {
            return Ok(());
        };
        let last = header
            .to_str()
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .and_then(|last| last.checked_add(1));
        match last {
            Some(next) if !seen[index] => {
                set(path.len() + index, &next.to_string()).map_err(|misfit| misfit_error("last-event-id", misfit))
            }
            Some(_) => Ok(()),
            None => Err(misfit_error("last-event-id", Misfit("the sequence of an event"))),
        }
    }
}

fn misfit_error(name: &str, misfit: Misfit) -> Error {
    Error::invalid("INVALID_PARAMETER", format!("'{name}' must be {}", misfit.0)).with("field", name)
}

/// Splits and decodes a query, with plus for space.
fn parameters(query: &str) -> Result<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(name)?, decode(value)?))
    });
    let decoded: Vec<_> = decoded.collect::<Result<_>>()?;
    if decoded.len() > MAX_PARAMETERS {
        let message = format!("a query has at most {MAX_PARAMETERS} parameters");
        return Err(Error::invalid("TOO_MANY_PARAMETERS", message));
    }
    Ok(decoded)
}

fn decode(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned());
    decoded
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| Error::invalid("MALFORMED_QUERY", "the query is not plain text"))
}

/// Whether a JSON text escapes U+0000, which PostgreSQL cannot keep. (Unescaped, it is no JSON.)
fn names_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at + 1..].starts_with(b"u0000") {
            return true;
        }
        // The escaped character is stepped over, so that an escaped backslash does not escape what follows it.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    essence.trim().eq_ignore_ascii_case("application/json")
        && matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

/// Names what serde met. Its messages begin with fixed words, which is the only way that it tells them apart.
fn json_error(error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let reason = match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => "MALFORMED_JSON",
        Category::Data if message.starts_with("unknown field") => "UNKNOWN_FIELD",
        Category::Data if message.starts_with("duplicate") => "DUPLICATE_FIELD",
        Category::Data if message.starts_with("unknown variant") => "UNKNOWN_ENUM_VALUE",
        Category::Data => "INVALID_FIELD",
    };
    Error::invalid(reason, message)
}
