//! The WebSocket's frames as ProtoJSON: `ClientFrame` in, `ServerFrame` out.

use mesh::error::{Error, Result};
use mesh::pb::gateway as pb;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Follow a topic.
    Subscribe {
        /// The server-streaming RPC.
        topic: String,
        /// Its request as ProtoJSON; empty means all defaults.
        request_json: String,
    },
    /// Stop following the subscription of this number.
    Unsubscribe(i64),
}

/// What the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The subscription stands.
    Subscribed,
    /// The subscription is over.
    Unsubscribed,
    /// One message of the topic, as ProtoJSON.
    Message(String),
    /// The request was refused, or the stream ended with an error.
    Failed(Error),
}

/// Reads a client's frame: the number that the answer repeats, and what is wanted. The number is 0 when the frame cannot be
/// read.
pub(crate) fn decode(text: &str) -> (i64, Result<Action>) {
    use pb::client_frame::Action as Wire;
    let frame: pb::ClientFrame = match serde_json::from_str(text) {
        Ok(frame) => frame,
        Err(error) => {
            return (
                0,
                Err(Error::invalid("INVALID_JSON", format!("not a ClientFrame: {error}"))),
            );
        }
    };
    let action = match frame.action {
        Some(Wire::Subscribe(subscribe)) => Ok(Action::Subscribe {
            topic: subscribe.topic,
            request_json: subscribe.request_json,
        }),
        Some(Wire::Unsubscribe(unsubscribe)) => Ok(Action::Unsubscribe(unsubscribe.subscription_id)),
        None => Err(Error::invalid("NO_ACTION", "the frame names no action")),
    };
    (frame.id, action)
}

/// Writes a frame. `id` is the number of the client's frame that it answers, 0 for data.
pub(crate) fn encode(id: i64, subscription_id: i64, content: Content) -> String {
    use pb::server_frame::Content as Wire;
    let content = match content {
        Content::Subscribed => Wire::Subscribed(pb::Subscribed {}),
        Content::Unsubscribed => Wire::Unsubscribed(pb::Unsubscribed {}),
        Content::Message(json) => Wire::MessageJson(json),
        Content::Failed(error) => Wire::Error(pb::FrameError {
            status: mesh::rest::status_word(error.kind()).to_owned(),
            reason: error.reason().to_owned(),
            message: error.message().to_owned(),
        }),
    };
    let frame = pb::ServerFrame {
        id,
        subscription_id,
        content: Some(content),
    };
    serde_json::to_string(&frame).expect("a frame holds only integers and strings")
}

#[cfg(test)]
mod tests {
    use super::{Action, Content, decode, encode};
    use mesh::error::Error;

    #[test]
    fn frames_are_read() {
        let (id, action) = decode(r#"{"id":"7","subscribe":{"topic":"t","requestJson":"{}"}}"#);
        assert_eq!(
            (id, action.unwrap()),
            (
                7,
                Action::Subscribe {
                    topic: "t".into(),
                    request_json: "{}".into()
                }
            )
        );
        let (id, action) = decode(r#"{"id":8,"unsubscribe":{"subscriptionId":"3"}}"#);
        assert_eq!((id, action.unwrap()), (8, Action::Unsubscribe(3)));
        for (text, id, reason) in [
            ("{", 0, "INVALID_JSON"),
            (r#"{"id":9}"#, 9, "NO_ACTION"),
            (r#"{"x":1}"#, 0, "INVALID_JSON"),
        ] {
            let (found, action) = decode(text);
            assert_eq!((found, action.unwrap_err().reason()), (id, reason), "{text}");
        }
    }

    #[test]
    fn frames_are_written() {
        assert_eq!(
            encode(1, 2, Content::Subscribed),
            r#"{"id":"1","subscriptionId":"2","subscribed":{}}"#
        );
        assert_eq!(
            encode(0, 2, Content::Message("{}".into())),
            r#"{"subscriptionId":"2","messageJson":"{}"}"#
        );
        assert!(encode(1, 2, Content::Unsubscribed).contains("unsubscribed"));
        let failed = encode(
            1,
            0,
            Content::Failed(Error::not_found("UNKNOWN_TOPIC", "no such topic")),
        );
        assert!(
            failed.contains(r#""status":"NOT_FOUND","reason":"UNKNOWN_TOPIC""#),
            "{failed}"
        );
    }
}
