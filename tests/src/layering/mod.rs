//! Who may import whom. The rules are those of `docs/architecture.md`; each is a function from sources to the places
//! that break it, so that a fixture can show that the rule bites.

mod manifests;
mod paths;

pub use manifests::{Manifest, read_manifests};
pub use paths::{SourceFile, paths_of, read_sources};

/// The services, one crate each.
pub const SERVICES: [&str; 12] = [
    "exchange",
    "data",
    "ml",
    "strategy",
    "risk",
    "trading",
    "portfolio",
    "notification",
    "monitoring",
    "auth",
    "audit",
    "gateway",
];

/// Crates that do IO, run tasks or know a wire format: none may be in `domain`.
const IMPURE: [&str; 9] = [
    "tokio",
    "tonic",
    "prost",
    "axum",
    "sqlx",
    "reqwest",
    "redis",
    "etcd-client",
    "rand",
];

/// The rows of `src/`, from the ground to the roof. A row imports only the rows above it in this list, and its own.
const ROWS: [&[&str]; 9] = [
    &["pb", "protojson"],
    &["error", "config", "time", "ids", "page"],
    &["wire"],
    &["telemetry", "identity"],
    &["policy"],
    &["deadline", "retry", "breaker", "budget"],
    &["registry", "balance", "channel", "server", "rest"],
    &["store", "journal", "events"],
    &["app"],
];

/// The modules of `src/` that generated code calls back into; `pb` alone may look up at them.
const GENERATED: &str = "pb";

/// The files of a service that may see `mesh::pb`.
const OUTER_FILES: [&str; 4] = ["codec", "grpc", "clients", "lib"];

/// What a core must not touch: the world, the clock, threads, and maps with a random order.
const NOT_IN_A_CORE: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "tokio",
    "tonic",
    "sqlx",
    "mesh::pb",
];

/// `domain` depends on nothing that does IO.
pub fn domain_is_pure(manifests: &[Manifest]) -> Vec<String> {
    manifests
        .iter()
        .filter(|manifest| manifest.name == "domain")
        .flat_map(|manifest| {
            manifest
                .dependencies
                .iter()
                .filter(|dependency| IMPURE.contains(&dependency.as_str()))
                .map(|dependency| format!("domain depends on {dependency}"))
        })
        .collect()
}

/// The crates that share the load generator of `bench`.
const LOADERS: [&str; 2] = ["trademesh", "mesh-tests"];

/// A service depends on no other service, and nothing depends on `trademesh`, `mesh-tests` or `bench`; but the command
/// line and the tests share the load generator of `bench`.
pub fn services_stand_alone(manifests: &[Manifest]) -> Vec<String> {
    let mut broken = Vec::new();
    for manifest in manifests {
        let is_service = SERVICES.contains(&manifest.name.as_str());
        for dependency in manifest.dependencies.iter().chain(&manifest.dev_dependencies) {
            if is_service && SERVICES.contains(&dependency.as_str()) {
                broken.push(format!("service {} depends on service {dependency}", manifest.name));
            }
            let is_shared = dependency == "bench" && LOADERS.contains(&manifest.name.as_str());
            if ["trademesh", "mesh-tests", "bench"].contains(&dependency.as_str()) && !is_shared {
                broken.push(format!("{} depends on {dependency}", manifest.name));
            }
            if ["domain", "codegen"].contains(&manifest.name.as_str()) && dependency == "mesh" {
                broken.push(format!("{} depends on mesh", manifest.name));
            }
        }
    }
    broken
}

/// In `src/`, only `wire` imports `domain`.
pub fn only_wire_knows_the_domain(sources: &[SourceFile]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.module() != "wire")
        .flat_map(|source| {
            let file = source.name.clone();
            paths_of(source)
                .into_iter()
                .filter(|path| path == "domain" || path.starts_with("domain::"))
                .map(move |path| format!("{file} uses {path}"))
        })
        .collect()
}

/// In `src/`, a row imports only the rows printed above it.
pub fn rows_import_upwards(sources: &[SourceFile]) -> Vec<String> {
    let row_of = |module: &str| ROWS.iter().position(|row| row.contains(&module));
    let mut broken = Vec::new();
    for source in sources {
        let module = source.module();
        if module == "lib" || module == GENERATED {
            continue;
        }
        let Some(own_row) = row_of(&module) else {
            broken.push(format!("{} is in no row of the house", source.name));
            continue;
        };
        for path in paths_of(source) {
            let Some(imported) = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next()) else {
                continue;
            };
            if row_of(imported).is_some_and(|row| row > own_row) {
                broken.push(format!("{} uses {path}, a row further down", source.name));
            }
        }
    }
    broken
}

/// In a service, only `codec`, `grpc`, `clients` and `lib` see the generated types.
pub fn only_outer_files_see_pb(sources: &[SourceFile]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !OUTER_FILES.contains(&source.module().as_str()))
        .flat_map(|source| {
            let file = source.name.clone();
            paths_of(source)
                .into_iter()
                .filter(|path| path == "mesh::pb" || path.starts_with("mesh::pb::"))
                .map(move |path| format!("{file} uses {path}"))
        })
        .collect()
}

/// In a service, `core` is pure.
pub fn cores_are_pure(sources: &[SourceFile]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.module() == "core")
        .flat_map(|source| {
            let file = source.name.clone();
            paths_of(source)
                .into_iter()
                .filter(|path| {
                    NOT_IN_A_CORE
                        .iter()
                        .any(|banned| path == banned || path.starts_with(&format!("{banned}::")))
                })
                .map(move |path| format!("{file} uses {path}"))
        })
        .collect()
}
