//! Every rule of the protos that the generator enforces: a table of what is wrong, and what the refusal says.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use std::path::Path;

use codegen::{Descriptors, Error};

const HEAD: &str = r#"
syntax = "proto3";
package fixture.wrong.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
import "trademesh/api/v1/options.proto";
enum Colour { COLOUR_UNSPECIFIED = 0; }
message Inner { string account = 1; string name = 2; }
message Loop { string name = 1; Loop loop_of = 2; }
message In {
  string account = 1; optional string perhaps = 2; int32 number = 3; repeated string names = 4; bytes raw = 5;
  Inner inner = 6; oneof choice { string chosen = 7; Inner chosen_inner = 8; } double ratio = 9;
}
message Plain { string name = 1; string account = 2; Inner inner = 3; repeated Inner inners = 4; }
message Flat { string name = 1; }
message Out { string name = 1; Inner inner = 2; map<string, Inner> inner_map = 3; oneof choice { Inner chosen = 4; } }
message WithMap { map<string, string> labels = 1; }
message WithBytes { bytes raw = 1; }
message WithList { repeated Inner inners = 1; }
message WithOneof { oneof choice { string a = 1; } }
message WithEmpty { google.protobuf.Empty empty = 1; }
message WithLoop { Loop start = 1; }
message WithWrappedBytes { google.protobuf.BytesValue raw = 1; }
"#;

const READ: &str =
    r#"option (trademesh.api.v1.permission) = {name: "x.read" scope: SCOPE_PLATFORM roles: [ROLE_VIEWER]};"#;

/// Generates from a file with these definitions and this service's body.
fn refusal(definitions: &str, service: &str) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{HEAD}\n{definitions}\nservice WrongService {{ {service} }}");
    std::fs::write(folder.path().join("wrong.proto"), text).unwrap();
    let imports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let descriptors = Descriptors::compile(folder.path(), &[&imports]).unwrap();
    codegen::generate(&descriptors, "").unwrap_err()
}

fn rpc_refusal(types: &str, options: &str) -> String {
    refusal("", &format!("rpc Wrong{types} {{ {options} }}")).to_string()
}

const UNARY: &str = "(In) returns (Out)";

#[test]
fn a_policy_that_is_not_stated_names_the_rpc() {
    let table = [
        ("", "it states no permission"),
        (
            r#"{scope: SCOPE_PLATFORM roles: [ROLE_VIEWER]}"#,
            "its permission has no name",
        ),
        (r#"{name: "x" roles: [ROLE_VIEWER]}"#, "its permission has no scope"),
        (r#"{name: "x" scope: SCOPE_PLATFORM}"#, "roles hold a permission"),
        (
            r#"{name: "x" scope: SCOPE_PLATFORM roles: [ROLE_UNSPECIFIED]}"#,
            "unspecified role",
        ),
        (r#"{name: "public" scope: SCOPE_PLATFORM}"#, "a public rpc has no scope"),
        (r#"{name: "public" roles: [ROLE_VIEWER]}"#, "roles hold a permission"),
        (
            r#"{name: "public" account_field: "account"}"#,
            "only an rpc with the account's scope",
        ),
        (
            r#"{name: "x" scope: SCOPE_PLATFORM account_field: "account" roles: [ROLE_BOT]}"#,
            "only an rpc with",
        ),
        (
            r#"{name: "x" scope: SCOPE_ACCOUNT roles: [ROLE_BOT]}"#,
            "states no account_field",
        ),
    ];
    for (permission, rule) in table {
        let options = match permission {
            "" => String::new(),
            _ => format!("option (trademesh.api.v1.permission) = {permission};"),
        };
        let error = rpc_refusal(UNARY, &options);
        assert!(
            error.starts_with("fixture.wrong.v1.WrongService.Wrong: ") && error.contains(rule),
            "{error}"
        );
    }
}

#[test]
fn an_account_field_is_a_plain_string_of_one_request() {
    let table = [
        (UNARY, "nothing", "'nothing' does not exist"),
        (UNARY, "account.name", "'account.name' does not exist"),
        (UNARY, "names.name", "'names.name' does not exist"),
        (UNARY, "number", "'number' is not a plain string"),
        (UNARY, "names", "'names' is not a plain string"),
        (UNARY, "perhaps", "'perhaps' is not a plain string"),
        (UNARY, "inner", "'inner' is not a plain string"),
        (UNARY, "chosen", "'chosen' is not a plain string"),
        (
            UNARY,
            "chosen_inner.account",
            "'chosen_inner.account' is not a plain string",
        ),
        ("(stream In) returns (Out)", "account", "a client-streaming rpc"),
    ];
    for (types, field, rule) in table {
        let options = format!(
            r#"option (trademesh.api.v1.permission) =
               {{name: "x" scope: SCOPE_ACCOUNT account_field: "{field}" roles: [ROLE_BOT]}};"#
        );
        let error = rpc_refusal(types, &options);
        assert!(
            error.starts_with("fixture.wrong.v1.WrongService.Wrong: ") && error.contains(rule),
            "{error}"
        );
    }
}

#[test]
fn one_permission_has_the_same_roles_everywhere() {
    let service = r#"
        rpc First(In) returns (Out) { option (trademesh.api.v1.permission) =
            {name: "x" scope: SCOPE_PLATFORM roles: [ROLE_VIEWER]}; }
        rpc Second(In) returns (Out) { option (trademesh.api.v1.permission) =
            {name: "x" scope: SCOPE_PLATFORM roles: [ROLE_VIEWER, ROLE_BOT]}; }"#;
    let error = refusal("", service).to_string();
    let wanted = "fixture.wrong.v1.WrongService.Second: it gives 'x' to other roles than \
                  fixture.wrong.v1.WrongService.First does";
    assert_eq!(error, wanted);
}

#[test]
fn an_http_rule_without_a_handler_names_the_rpc() {
    let table = [
        (UNARY, r#"selector: "x" get: "/v1/x""#, "it has a selector"),
        (UNARY, r#"body: "*""#, "it has none of get, put"),
        (
            UNARY,
            r#"custom: {kind: "HEAD" path: "/v1/x"}"#,
            "it has none of get, put",
        ),
        (UNARY, r#"get: "v1""#, "a path starts with '/'"),
        (UNARY, r#"get: "/v1/{nothing}""#, "'nothing' does not exist"),
        (UNARY, r#"get: "/v1/{names}""#, "'names' is not a plain"),
        (UNARY, r#"get: "/v1/{inner}""#, "'inner' is not a plain"),
        (UNARY, r#"get: "/v1/{raw}""#, "'raw' is not a plain"),
        (UNARY, r#"get: "/v1/{ratio}""#, "'ratio' is not a plain"),
        (UNARY, r#"get: "/v1/{chosen}""#, "'chosen' is not a plain"),
        (UNARY, r#"get: "/v1/{number=a/*}""#, "'number' spans segments"),
        (UNARY, r#"get: "/v1/x" body: "*""#, "GET has no body"),
        (UNARY, r#"delete: "/v1/x" body: "inner""#, "DELETE has no body"),
        (
            UNARY,
            r#"post: "/v1/x" body: "nothing""#,
            "the body's field 'nothing' does not exist",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "account""#,
            "the body's field 'account' is not one message",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "chosen_inner""#,
            "the body's field 'chosen_inner' is not one message",
        ),
        (
            "(Plain) returns (Out)",
            r#"post: "/v1/x" body: "inners""#,
            "'inners' is not one message",
        ),
        (
            UNARY,
            r#"post: "/v1/{inner.name}" body: "inner""#,
            "the path and the body both name 'inner'",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" response_body: "nothing""#,
            "the response's field 'nothing'",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" response_body: "name""#,
            "neither a message nor a list",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" response_body: "inner_map""#,
            "neither a message nor a list",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" response_body: "chosen""#,
            "neither a message nor a list",
        ),
        (
            "(Flat) returns (stream Out)",
            r#"get: "/v1/x" response_body: "inner""#,
            "a stream has no response_body",
        ),
        (
            "(stream In) returns (Out)",
            r#"post: "/v1/x" body: "*""#,
            "the client streams",
        ),
        (
            "(WithMap) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'labels': it is a map",
        ),
        (
            "(WithBytes) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'raw': it is bytes",
        ),
        (
            "(WithList) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'inners': it is a list of messages",
        ),
        (
            "(WithOneof) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'a': it is in a oneof",
        ),
        (
            "(WithEmpty) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'empty': it has no text",
        ),
        (
            "(WithWrappedBytes) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'raw': it has no text",
        ),
        (
            "(WithLoop) returns (Out)",
            r#"get: "/v1/x""#,
            "cannot carry 'start.loop_of': it contains itself",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" additional_bindings {
                 post: "/v1/y" body: "*" additional_bindings { post: "/v1/z" body: "*" } }"#,
            "additional bindings do not nest",
        ),
        (
            UNARY,
            r#"post: "/v1/x" body: "*" additional_bindings { get: "/v1/y" body: "*" }"#,
            "GET has no body",
        ),
    ];
    for (types, rule, wanted) in table {
        let error = rpc_refusal(types, &format!("{READ} option (google.api.http) = {{ {rule} }};"));
        let head = "fixture.wrong.v1.WrongService.Wrong: its HTTP rule is not supported: ";
        assert!(error.starts_with(head) && error.contains(wanted), "{rule}: {error}");
    }
}

#[test]
fn two_rpcs_never_share_a_method_and_path() {
    let rpc = |name: &str, path: &str| {
        format!(r#"rpc {name}(Flat) returns (Out) {{ {READ} option (google.api.http) = {{get: "{path}"}}; }}"#)
    };
    let service = rpc("First", "/v1/{name}:go") + &rpc("Second", "/v1/*:go");
    let error = refusal("", &service).to_string();
    let wanted = "fixture.wrong.v1.WrongService.Second: its HTTP rule GET /v1/*:go is also that of \
                  fixture.wrong.v1.WrongService.First";
    assert_eq!(error, wanted);
}

#[test]
fn fields_that_have_no_exact_form_are_named() {
    let table = [
        (
            "google.protobuf.Any value = 1;",
            "value: google.protobuf.Any has no exact JSON here",
        ),
        (
            "google.protobuf.FieldMask mask = 1;",
            "mask: google.protobuf.FieldMask has no exact JSON here",
        ),
        (
            "repeated google.protobuf.Struct value = 1;",
            "value: google.protobuf.Struct has no exact",
        ),
        (
            "map<string, google.protobuf.Value> value = 1;",
            "value: google.protobuf.Value has no exact",
        ),
        ("string gen = 1;", "gen: 'gen' is a Rust keyword"),
        ("string self = 1;", "self: 'self' is a Rust keyword"),
        (
            "message Deep { string async = 1; }",
            "Deep.async: 'async' is a Rust keyword",
        ),
        ("string camelCase = 1;", "camelCase: field names are lower_snake_case"),
    ];
    for (field, wanted) in table {
        let error = refusal(&format!("message Wrong {{ {field} }}"), "").to_string();
        assert!(
            error.starts_with("fixture.wrong.v1.Wrong.") && error.contains(wanted),
            "{error}"
        );
    }
}

#[test]
fn only_proto3_compiles_and_errors_name_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.proto");
    std::fs::write(&path, "syntax = \"proto2\"; package a.b.v1; message M {}").unwrap();
    let old = Descriptors::compile(folder.path(), &[]).unwrap();
    assert_eq!(
        codegen::generate(&old, "").unwrap_err().to_string(),
        "old.proto: only proto3 is supported"
    );
    assert_eq!(old.sources(), std::slice::from_ref(&path));
    std::fs::write(&path, "syntax = \"proto3\";\nmessage M { nonsense }").unwrap();
    let error = Descriptors::compile(folder.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("old.proto:2"), "{error}");
    let error = Descriptors::compile(&folder.path().join("absent"), &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("absent"), "{error}");
}

#[test]
fn what_a_field_cannot_keep_is_refused() {
    let table = [
        ("int32 a = 1 [R{format: FORMAT_SYMBOL}];", "only a text has a format"),
        (
            "int64 a = 1 [R{format: FORMAT_PAGE_SIZE}];",
            "only an int32 is a page size",
        ),
        (
            "string a = 1 [R{format: FORMAT_PAGE_SIZE}];",
            "only an int32 is a page size",
        ),
        (
            "repeated int32 a = 1 [R{format: FORMAT_PAGE_SIZE}];",
            "only an int32 is a page size",
        ),
        ("int32 a = 1 [R{max_length: 3}];", "only a text has a length and words"),
        ("bytes a = 1 [R{one_of: \"x\"}];", "only a text has a length and words"),
        ("string a = 1 [R{min: 3}];", "only a number has bounds"),
        ("bool a = 1 [R{max: 3}];", "only a number has bounds"),
        (
            "double a = 1 [R{max: 3}];",
            "a number with decimals has both bounds, neither below zero",
        ),
        (
            "double a = 1 [R{min: -1 max: 3}];",
            "a number with decimals has both bounds, neither below zero",
        ),
        (
            "double a = 1 [R{min: 1}];",
            "a number with decimals has both bounds, neither below zero",
        ),
        ("string a = 1 [R{max_items: 3}];", "only a list has a number of items"),
        (
            "string a = 1 [R{min_length: 3}];",
            "a text with a shortest length is required",
        ),
        (
            "int32 a = 1 [R{required: true}];",
            "a number or flag that is required is optional to the compiler, which tells 0 from nothing",
        ),
        (
            "oneof choice { string a = 1 [R{required: true}]; }",
            "a field of a oneof or a map states nothing of its values",
        ),
        (
            "map<string, string> a = 1 [R{required: true}];",
            "a field of a oneof or a map states nothing of its values",
        ),
    ];
    for (field, wanted) in table {
        let field = field.replace("R{", "(trademesh.api.v1.field) = {");
        let error = refusal(&format!("message Wrong {{ {field} }}"), "").to_string();
        assert_eq!(error, format!("fixture.wrong.v1.Wrong.a: {wanted}"), "{field}");
    }
}
