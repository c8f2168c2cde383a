//! What is derived from the generator's own protos, and from the platform's.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use std::path::{Path, PathBuf};

use codegen::{Descriptors, Output};
use serde_json::{Value, json};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture() -> Descriptors {
    Descriptors::compile(&here("tests/protos"), &[&here("../proto")]).unwrap()
}

fn openapi(descriptors: &Descriptors) -> Value {
    let outputs = codegen::generate(descriptors, "").unwrap();
    let page = outputs.iter().find(|output| output.name == "openapi.json").unwrap();
    serde_json::from_slice(&page.contents).unwrap()
}

#[test]
fn the_policy_page_is_that_of_the_protos() {
    let page = codegen::policy_markdown(&Descriptors::compile(&here("../proto"), &[]).unwrap()).unwrap();
    let path = here("../docs/policy.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/policy.md is not that of the protos: UPDATE_DOCS=1 cargo test -p codegen"
    );
}

#[test]
fn a_row_of_the_policy_page_says_who_and_how() {
    let page = codegen::policy_markdown(&fixture()).unwrap();
    let rows = [
        "| CreateShape | `shapes.write` | `shape.owner.account_id` | • | • | | | | | same id | always |",
        "| PurgeShape | `shapes.purge` |  | • | | | | | | never |  |",
        "| ListBareShapes | `public` |  | | | | | | | hedge |  |",
        "| UploadShapes | `shapes.upload` |  | | | | | | • | never |  |",
    ];
    for row in rows {
        assert!(page.contains(row), "{row}\n{page}");
    }
}

#[test]
fn files_are_written_only_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let output = |text: &str| Output {
        name: "a.rs".into(),
        contents: text.into(),
    };
    let path = folder.path().join("deep/a.rs");
    codegen::write(&[output("one")], path.parent().unwrap()).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    codegen::write(&[output("one")], path.parent().unwrap()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), old);
    codegen::write(&[output("two")], path.parent().unwrap()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    let error = codegen::write(&[output("x")], &path).unwrap_err().to_string();
    assert!(error.contains("a.rs"), "{error}");
    let blocked = Output {
        name: "deep".into(),
        contents: b"x".to_vec(),
    };
    assert!(
        codegen::write(&[blocked], folder.path())
            .unwrap_err()
            .to_string()
            .contains("deep")
    );
}

#[test]
fn generating_twice_gives_the_same_text() {
    let descriptors = fixture();
    let first = codegen::generate(&descriptors, "").unwrap();
    assert_eq!(first, codegen::generate(&fixture(), "").unwrap());
    assert!(
        descriptors
            .pool()
            .get_service_by_name("fixture.shapes.v1.ShapeService")
            .is_some()
    );
    assert!(first.iter().any(|output| output.name == "fixture.shapes.v1.rs"));
}

#[test]
fn the_page_has_every_binding_and_nothing_else() {
    let page = openapi(&fixture());
    let paths: Vec<_> = page["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = vec![
        "/v1/colours/{colour}/solid/{solid}/{segment6}",
        "/v1/files/{path}",
        "/v1/shapes",
        "/v1/shapes/{name}:measure",
        "/v1/shapes/{name}:purge",
        "/v1/shapes/{number}",
        "/v1/shapes:bare",
        "/v1/shapes:find",
        "/v1/shapes:replace",
        "/v1/shapes:watch",
        "/v1/shapes:watchBare",
        "/v1/shelves/{shape.shelf}/shapes/{shape.name}",
        "/v1/shelves/{shelf}/shapes",
        "/v1/shelves/{shelf}/shapes/{name}",
    ];
    wanted.sort_unstable();
    let mut paths = paths;
    paths.sort_unstable();
    assert_eq!(paths, wanted);
    assert!(!page.to_string().contains("UploadShapes"));
    let second = &page["paths"]["/v1/shapes/{number}"]["get"];
    assert_eq!(second["operationId"], "ShapeService_GetShape_2");
    assert_eq!(second["parameters"][0]["schema"]["format"], "int32");
}

#[test]
fn an_operation_is_described_by_its_comment() {
    let page = openapi(&fixture());
    let list = &page["paths"]["/v1/shapes"]["get"];
    assert_eq!(list["summary"], "Lists shapes");
    let description = "Lists shapes. The query carries every kind of field.\n\nA second paragraph.";
    assert_eq!(list["description"], description);
    assert_eq!(list["x-permission"], "shapes.read");
    let names: Vec<_> = list["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"filter.window.startTime") && names.contains(&"filter.words"),
        "{names:?}"
    );
    let find = |name: &str| {
        list["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == name)
            .unwrap()
    };
    let names = json!(["COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_BLUE"]);
    assert_eq!(
        find("colours")["schema"],
        json!({"type": "array", "items": {"type": "string", "enum": names}})
    );
    assert_eq!(find("wrappedNumber")["schema"]["minimum"], 0);
    assert_eq!(find("ratio")["schema"], json!({"type": "number", "format": "double"}));
    assert_eq!(find("moments")["schema"]["items"]["format"], "date-time");
    assert_eq!(find("wrappedFlag")["schema"], json!({"type": "boolean"}));
    assert_eq!(page["paths"]["/v1/shapes:bare"]["get"]["security"], json!([]));
    assert_eq!(
        page["tags"],
        json!([{"name": "ShapeService", "description": "Keeps shapes on shelves."}])
    );
}

#[test]
fn bodies_are_closed_and_leave_out_what_the_path_names() {
    let page = openapi(&fixture());
    let put = &page["paths"]["/v1/shelves/{shelf}/shapes/{name}"]["put"];
    let schema = &put["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"].get("shelf").is_none() && schema["properties"].get("colour").is_some());
    assert_eq!(schema["allOf"], json!([{"not": {"required": ["side", "radius"]}}]));
    let post = &page["paths"]["/v1/shelves/{shelf}/shapes"]["post"];
    let shape = json!({"$ref": "#/components/schemas/fixture.shapes.v1.Shape"});
    assert_eq!(post["requestBody"]["content"]["application/json"]["schema"], shape);
    assert_eq!(post["responses"]["200"]["content"]["application/json"]["schema"], shape);
    let bare = &page["paths"]["/v1/shapes:bare"]["get"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(bare["schema"], json!({"type": "array", "items": shape}));
    let replace = &page["paths"]["/v1/shapes:replace"]["patch"]["requestBody"]["content"]["application/json"];
    assert_eq!(
        replace["schema"]["$ref"],
        "#/components/schemas/fixture.shapes.v1.ReplaceShapeRequest"
    );
    let everything = &page["components"]["schemas"]["fixture.shapes.v1.Everything"]["properties"];
    assert_eq!(everything["int64Value"]["type"], json!(["string", "integer"]));
    // As text, only what is within the type's bounds whatever the digits are.
    assert_eq!(everything["uint32Value"]["pattern"], "^[0-9]{1,9}$");
    assert_eq!(everything["int64Value"]["pattern"], "^-?[0-9]{1,18}$");
    assert_eq!(everything["intMap"]["additionalProperties"]["format"], "int64");
    assert_eq!(everything["bytesValue"]["contentEncoding"], "base64");
    assert_eq!(everything["empty"]["additionalProperties"], false);
    assert_eq!(everything["otherName"]["type"], "string");
}

#[test]
fn streams_are_events_and_refusals_are_described() {
    let page = openapi(&fixture());
    let watch = &page["paths"]["/v1/shapes:watch"]["get"]["responses"];
    let content = &watch["200"]["content"]["text/event-stream"];
    assert_eq!(
        content["x-event-schema"]["$ref"],
        "#/components/schemas/fixture.shapes.v1.WatchShapesResponse"
    );
    for code in [
        "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503", "504",
    ] {
        assert_eq!(watch[code]["$ref"], format!("#/components/responses/{code}"));
        assert!(page["components"]["responses"][code]["description"].is_string());
    }
}

#[test]
fn what_a_field_states_is_on_the_page() {
    let page = openapi(&fixture());
    let post = &page["paths"]["/v1/shapes/{name}:measure"]["post"];
    assert_eq!(post["parameters"][0]["schema"]["pattern"], "^([a-z0-9._-]{1,64})$");
    assert_eq!(post["requestBody"]["required"], true);
    let body = &post["requestBody"]["content"]["application/json"]["schema"];
    let required = [
        "colour", "sides", "count", "owner", "secret", "checked", "alias", "shadow",
    ];
    assert_eq!(body["required"], json!(required));
    let of = |name: &str| {
        let mut schema = body["properties"][name].clone();
        schema.as_object_mut().unwrap().remove("description");
        schema
    };
    let text = |rules: Value| {
        let mut schema = json!({"type": "string"});
        schema
            .as_object_mut()
            .unwrap()
            .append(&mut rules.as_object().unwrap().clone());
        schema
    };
    let any = "^[^\\u0000]*$";
    let cases = [
        (
            "height",
            text(json!({"pattern": "^((0|[1-9][0-9]*)(\\.[0-9]+)?|)$", "maxLength": 20})),
        ),
        ("note", text(json!({"pattern": any, "maxLength": 5}))),
        ("secret", text(json!({"pattern": any, "minLength": 2, "maxLength": 3}))),
        ("mood", text(json!({"enum": ["good", ""]}))),
        ("unit", text(json!({"pattern": "^([A-Z0-9]{1,32}|)$"}))),
        (
            "tags",
            json!({"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["round", "square"]}}),
        ),
        (
            "colour",
            json!({"anyOf": [
                {"type": "string", "enum": ["COLOUR_RED", "COLOUR_BLUE"]},
                {"type": "integer", "enum": [1, 2]},
            ]}),
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(of(name), expected, "{name}");
    }
    assert_eq!(
        (&of("sides")["minItems"], &of("sides")["maxItems"]),
        (&json!(1), &json!(4))
    );
    assert_eq!(
        (&of("count")["minimum"], &of("count")["maximum"]),
        (&json!(1), &json!(9))
    );
    assert_eq!(of("count")["pattern"], "^([1-9])$");
    let share = of("share");
    assert_eq!((&share["minimum"], &share["maximum"]), (&json!(0), &json!(1)));
    assert_eq!(share["pattern"], "^((0)(\\.[0-9]+)?|1(\\.0+)?)$");
    assert_eq!(
        (&of("weight")["minimum"], &of("weight")["maximum"]),
        (&json!(0), &json!(i64::MAX))
    );
    let side = &page["components"]["schemas"]["fixture.shapes.v1.MeasureShapeRequest.Side"];
    assert_eq!(side["required"], json!(["length"]));
    let pattern = "^([1-9][0-9]*(\\.[0-9]+)?|0\\.0*[1-9][0-9]*)$";
    assert_eq!(side["properties"]["length"]["pattern"], pattern);
}

#[test]
fn what_a_parameter_states_is_on_the_page() {
    let page = openapi(&fixture());
    let parameters = page["paths"]["/v1/shapes:find"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let of = |name: &str| parameters.iter().find(|one| one["name"] == name).unwrap();
    let required: Vec<_> = parameters.iter().filter(|one| one["required"] == true).collect();
    assert_eq!(required, [of("colour"), of("symbols"), of("owner")]);
    let cases = [
        (
            "pageSize",
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 1000}),
        ),
        (
            "depth",
            json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 20}),
        ),
        (
            "colour",
            json!({"type": "string", "enum": ["COLOUR_RED", "COLOUR_BLUE"]}),
        ),
        (
            "owner",
            json!({"type": "string", "pattern": "^[^\\u0000]*$", "minLength": 1}),
        ),
        (
            "symbols",
            json!({
                "type": "array", "minItems": 1, "maxItems": 3,
                "items": {"type": "string", "pattern": "^([A-Z0-9]{1,32})$"},
            }),
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(of(name)["schema"], expected, "{name}");
    }
    assert_eq!(of("pageToken")["schema"]["maxLength"], 256);
}
