//! The house stands as drawn, and every rule bites on a fixture that breaks it.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::layering::{
    Manifest, SERVICES, SourceFile, cores_are_pure, domain_is_pure, only_outer_files_see_pb,
    only_wire_knows_the_domain, read_manifests, read_sources, rows_import_upwards, services_stand_alone,
};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn file(name: &str, text: &str) -> Vec<SourceFile> {
    vec![SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }]
}

fn none(broken: Vec<String>) {
    assert!(broken.is_empty(), "the house is not as drawn:\n{}", broken.join("\n"));
}

#[test]
fn manifests_follow_the_plan() {
    let manifests = read_manifests(&root());
    assert!(manifests.len() >= 18, "every crate has a manifest");
    none(domain_is_pure(&manifests));
    none(services_stand_alone(&manifests));
}

#[test]
fn the_kit_follows_the_plan() {
    let sources = read_sources(&root().join("src"));
    none(only_wire_knows_the_domain(&sources));
    none(rows_import_upwards(&sources));
}

#[test]
fn services_follow_the_plan() {
    for service in SERVICES {
        let sources = read_sources(&root().join("services").join(service).join("src"));
        none(
            only_outer_files_see_pb(&sources)
                .into_iter()
                .map(|line| format!("{service}: {line}"))
                .collect(),
        );
        none(
            cores_are_pure(&sources)
                .into_iter()
                .map(|line| format!("{service}: {line}"))
                .collect(),
        );
    }
}

#[test]
fn an_impure_domain_is_found() {
    let manifest = Manifest::parse("[package]\nname = \"domain\"\n[dependencies]\ntokio = \"1\"\n");
    assert_eq!(domain_is_pure(&[manifest]), ["domain depends on tokio"]);
}

#[test]
fn a_service_that_imports_a_service_is_found() {
    let manifest = Manifest::parse("[package]\nname = \"trading\"\n[dependencies]\nexchange = \"1\"\n");
    assert_eq!(
        services_stand_alone(&[manifest]),
        ["service trading depends on service exchange"]
    );
    let tested = Manifest::parse("[package]\nname = \"trading\"\n[dev-dependencies]\nexchange = \"1\"\n");
    assert_eq!(services_stand_alone(&[tested]).len(), 1);
    let upwards = Manifest::parse("[package]\nname = \"mesh\"\n[dependencies]\nbench = \"1\"\n");
    assert_eq!(services_stand_alone(&[upwards]), ["mesh depends on bench"]);
    let loading = Manifest::parse("[package]\nname = \"trademesh\"\n[dependencies]\nbench = \"1\"\n");
    none(services_stand_alone(&[loading]));
    let service = Manifest::parse("[package]\nname = \"risk\"\n[dependencies]\nbench = \"1\"\n");
    assert_eq!(services_stand_alone(&[service]), ["risk depends on bench"]);
    let domain = Manifest::parse("[package]\nname = \"domain\"\n[dependencies]\nmesh = \"1\"\n");
    assert_eq!(services_stand_alone(&[domain]), ["domain depends on mesh"]);
}

#[test]
fn the_domain_outside_wire_is_found() {
    let broken = only_wire_knows_the_domain(&file("journal/segment.rs", "use domain::Price;"));
    assert_eq!(broken, ["journal/segment.rs uses domain::Price"]);
    none(only_wire_knows_the_domain(&file(
        "wire/decimal.rs",
        "use domain::Price;",
    )));
}

#[test]
fn a_row_that_looks_down_is_found() {
    let broken = rows_import_upwards(&file("error.rs", "fn f() { crate::app::run(); }"));
    assert_eq!(broken, ["error.rs uses crate::app::run, a row further down"]);
    assert_eq!(
        rows_import_upwards(&file("utils.rs", "")),
        ["utils.rs is in no row of the house"]
    );
    none(rows_import_upwards(&file(
        "app/mod.rs",
        "use crate::{error::Error, server::{self, Server as Inner}};",
    )));
}

#[test]
fn pb_in_an_inner_file_is_found() {
    let broken = only_outer_files_see_pb(&file("store.rs", "use mesh::{error::Error, pb::auth::*};"));
    assert_eq!(broken, ["store.rs uses mesh::pb::auth::*"]);
    none(only_outer_files_see_pb(&file(
        "grpc/orders.rs",
        "use mesh::pb::trading as wire;",
    )));
}

#[test]
fn an_impure_core_is_found_and_its_tests_are_not_counted() {
    let broken = cores_are_pure(&file("core/state.rs", "use std::collections::{BTreeMap, HashMap};"));
    assert_eq!(broken, ["core/state.rs uses std::collections::HashMap"]);
    let broken = cores_are_pure(&file("core.rs", "fn f() -> u8 { std::fs::read(\"x\").unwrap()[0] }"));
    assert_eq!(broken, ["core.rs uses std::fs::read"]);
    none(cores_are_pure(&file(
        "core.rs",
        "#[cfg(test)] use std::fs; #[cfg(test)] mod tests { use std::fs; } #[cfg(test)] fn f() { std::fs::read(\"x\"); }",
    )));
}
