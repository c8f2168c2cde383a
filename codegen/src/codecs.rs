//! A table of every message with its JSON both ways, for tests that compare it with another implementation.

use std::fmt::Write as _;

use prost_reflect::MessageDescriptor;

use crate::{Descriptors, rust};

/// Generates `codecs.rs`.
pub(crate) fn generate(descriptors: &Descriptors) -> String {
    let mut text = String::from(
        "/// A message's name, bytes to JSON, and JSON to bytes.\n\
         pub type Codec = (&'static str, fn(&[u8]) -> Result<String, String>, fn(&str) -> Result<Vec<u8>, String>);\n\n\
         fn to_json<T: prost::Message + Default + serde::Serialize>(bytes: &[u8]) -> Result<String, String> {\n    \
         let message = T::decode(bytes).map_err(|error| error.to_string())?;\n    \
         serde_json::to_string(&message).map_err(|error| error.to_string())\n}\n\n\
         fn to_bytes<T: prost::Message + serde::de::DeserializeOwned>(json: &str) -> Result<Vec<u8>, String> {\n    \
         let message: T = serde_json::from_str(json).map_err(|error| error.to_string())?;\n    \
         Ok(message.encode_to_vec())\n}\n\n/// Every message.\npub static CODECS: &[Codec] = &[\n",
    );
    for file in descriptors.files() {
        for message in file.messages() {
            write_codec(&message, &mut text);
        }
    }
    text + "];\n"
}

fn write_codec(message: &MessageDescriptor, text: &mut String) {
    if message.is_map_entry() {
        return;
    }
    let path = rust::message(message);
    let _ = writeln!(
        text,
        "    ({:?}, to_json::<{path}>, to_bytes::<{path}>),",
        message.full_name()
    );
    for nested in message.child_messages() {
        write_codec(&nested, text);
    }
}
