//! What the descriptor says about a method that matters to a call.

use crate::pb::tables;
use crate::policy::Idempotency;
use crate::retry::Class;

/// A method as a call sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub(crate) class: Class,
    /// Whether the answer, or the request, is a stream: such calls have no default deadline.
    pub(crate) streaming: bool,
    /// Whether nobody needs to say who calls.
    pub(crate) public: bool,
    /// The method's path as a bounded metric label.
    pub(crate) label: &'static str,
}

/// The services that every server has and that are not in `proto/`: health, reflection.
const STANDARD: &str = "/grpc.";

/// Whether a method is one of those that every server has.
pub(crate) fn is_standard(path: &str) -> bool {
    path.starts_with(STANDARD)
}

/// What is known of the method at a path. Of an unknown one nothing may be assumed.
pub(crate) fn method(path: &str) -> Method {
    if is_standard(path) {
        return Method {
            class: Class::Never,
            streaming: true,
            public: true,
            label: "standard",
        };
    }
    match tables::method(path) {
        Some(known) => Method {
            class: class(known.idempotency),
            streaming: known.client_streaming || known.server_streaming,
            public: known.permission == "public",
            label: known.path,
        },
        None => Method {
            class: Class::Never,
            streaming: false,
            public: false,
            label: "unknown",
        },
    }
}

fn class(idempotency: Idempotency) -> Class {
    match idempotency {
        Idempotency::NoSideEffects => Class::NoSideEffects,
        Idempotency::Idempotent => Class::Idempotent,
        Idempotency::Unknown => Class::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::method;
    use crate::retry::Class;

    #[test]
    fn the_descriptor_decides_what_may_be_repeated() {
        let cases = [
            ("/trademesh.auth.v1.AuthService/GetKeys", Class::NoSideEffects, true),
            ("/trademesh.auth.v1.AuthService/Logout", Class::Idempotent, false),
            ("/trademesh.auth.v1.AuthService/Login", Class::Never, true),
            ("/trademesh.auth.v1.AuthService/Nothing", Class::Never, false),
            ("/grpc.health.v1.Health/Check", Class::Never, true),
        ];
        for (path, class, public) in cases {
            assert_eq!(method(path).class, class, "{path}");
            assert_eq!(method(path).public, public, "{path}");
        }
    }
}
