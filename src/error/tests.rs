use super::*;

#[test]
fn kinds_have_one_grpc_code_and_one_http_status() {
    let table = [
        (Kind::Invalid, Code::InvalidArgument, 400, false, "invalid"),
        (
            Kind::Unauthenticated,
            Code::Unauthenticated,
            401,
            false,
            "unauthenticated",
        ),
        (Kind::Denied, Code::PermissionDenied, 403, false, "denied"),
        (Kind::NotFound, Code::NotFound, 404, false, "not_found"),
        (Kind::Conflict, Code::AlreadyExists, 409, false, "conflict"),
        (Kind::Refused, Code::FailedPrecondition, 422, false, "refused"),
        (Kind::Exhausted, Code::ResourceExhausted, 429, true, "exhausted"),
        (Kind::Unavailable, Code::Unavailable, 503, true, "unavailable"),
        (Kind::Deadline, Code::DeadlineExceeded, 504, false, "deadline"),
        (Kind::Internal, Code::Internal, 500, false, "internal"),
        (Kind::Unimplemented, Code::Unimplemented, 501, false, "unimplemented"),
    ];
    assert_eq!(table.map(|(kind, ..)| kind), Kind::ALL);
    for (kind, code, http, retryable, name) in table {
        assert_eq!(
            (kind.code(), kind.http_status(), kind.to_string().as_str()),
            (code, http, name)
        );
        assert_eq!(kind.is_retryable(), retryable, "{kind}");
    }
}

#[test]
fn an_error_survives_the_way_through_a_status() {
    for kind in Kind::ALL {
        let error = Error::new(kind, "SOME_REASON", "what happened")
            .with("field", "order.price")
            .with("limit", 12)
            .retry_after(Duration::from_millis(1500));
        let status = Status::from(error.clone());
        assert_eq!((status.code(), status.message()), (kind.code(), "what happened"));
        assert_eq!(Error::from(status), error);
    }
}

#[test]
fn each_constructor_makes_its_kind() {
    let made = [
        Error::invalid("R", "m"),
        Error::unauthenticated("R", "m"),
        Error::denied("R", "m"),
        Error::not_found("R", "m"),
        Error::conflict("R", "m"),
        Error::refused("R", "m"),
        Error::exhausted("R", "m"),
        Error::unavailable("R", "m"),
        Error::deadline("R", "m"),
        Error::internal("R", "m"),
        Error::unimplemented("R", "m"),
    ];
    assert_eq!(made.clone().map(|error| error.kind()), Kind::ALL);
    let error = made[0].clone().with("key", 7);
    assert_eq!((error.reason(), error.message(), error.retry_delay()), ("R", "m", None));
    assert_eq!(error.context().get("key").map(String::as_str), Some("7"));
    assert_eq!(error.to_string(), "m (R)");
    assert!(!error.is_retryable());
}

#[test]
fn a_status_without_our_details_keeps_its_meaning() {
    let table = [
        (Code::Ok, Kind::Internal, "OK_AS_ERROR"),
        (Code::Cancelled, Kind::Unavailable, "CANCELLED"),
        (Code::Unknown, Kind::Internal, "UNKNOWN"),
        (Code::InvalidArgument, Kind::Invalid, "INVALID_ARGUMENT"),
        (Code::DeadlineExceeded, Kind::Deadline, "DEADLINE_EXCEEDED"),
        (Code::NotFound, Kind::NotFound, "NOT_FOUND"),
        (Code::AlreadyExists, Kind::Conflict, "ALREADY_EXISTS"),
        (Code::PermissionDenied, Kind::Denied, "PERMISSION_DENIED"),
        (Code::ResourceExhausted, Kind::Exhausted, "RESOURCE_EXHAUSTED"),
        (Code::FailedPrecondition, Kind::Refused, "FAILED_PRECONDITION"),
        (Code::Aborted, Kind::Conflict, "ABORTED"),
        (Code::OutOfRange, Kind::Invalid, "OUT_OF_RANGE"),
        (Code::Unimplemented, Kind::Unimplemented, "UNIMPLEMENTED"),
        (Code::Internal, Kind::Internal, "INTERNAL"),
        (Code::Unavailable, Kind::Unavailable, "UNAVAILABLE"),
        (Code::DataLoss, Kind::Internal, "DATA_LOSS"),
        (Code::Unauthenticated, Kind::Unauthenticated, "UNAUTHENTICATED"),
    ];
    for (code, kind, reason) in table {
        let error = Error::from(Status::new(code, "text"));
        assert_eq!((error.kind(), error.reason(), error.message()), (kind, reason, "text"));
    }
}

#[test]
fn a_foreign_reason_is_kept_with_its_domain() {
    let mut details = ErrorDetails::new();
    details.set_error_info("API_DISABLED", "googleapis.com", HashMap::new());
    let error = Error::from(Status::with_error_details(Code::PermissionDenied, "no", details));
    assert_eq!((error.kind(), error.reason()), (Kind::Denied, "API_DISABLED"));
    assert_eq!(error.context()["domain"], "googleapis.com");
}

#[test]
fn a_broken_connection_is_unavailable_whatever_tonic_calls_it() {
    let broken = || Box::new(std::io::Error::other("connection reset"));
    for code in [Code::Cancelled, Code::Unknown, Code::Internal, Code::Unavailable] {
        let mut status = Status::new(code, "transport error");
        status.set_source(std::sync::Arc::from(
            broken() as Box<dyn std::error::Error + Send + Sync>
        ));
        let error = Error::from(status);
        assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "TRANSPORT_FAILED"));
    }
    let mut status = Status::new(Code::DeadlineExceeded, "late");
    status.set_source(std::sync::Arc::from(
        broken() as Box<dyn std::error::Error + Send + Sync>
    ));
    assert_eq!(Error::from(status).kind(), Kind::Deadline);
}

#[test]
fn what_leaves_the_process_is_bounded() {
    let mut error = Error::invalid("TOO_MUCH", "ä".repeat(5000)).with("value", "x".repeat(5000));
    error
        .context
        .extend((0..100).map(|index| (format!("a{index:03}"), String::new())));
    let status = Status::from(error);
    assert!(status.message().len() <= MAX_MESSAGE && status.message().ends_with('…'));
    assert_eq!(Error::from(status).context().len(), MAX_CONTEXT_ENTRIES);
    let status = Status::from(Error::invalid("TOO_MUCH", "m").with("value", "x".repeat(5000)));
    assert_eq!(Error::from(status).context()["value"].len(), MAX_CONTEXT_VALUE);
}
