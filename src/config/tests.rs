use serde::Deserialize;

use super::*;
use crate::error::{Error, Kind};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    data_dir: PathBuf,
    trading: Trading,
    ports: BTreeMap<String, u16>,
    peers: BTreeMap<String, Vec<String>>,
    tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Trading {
    max_notional: String,
    workers: u16,
    offset: i64,
    ratio: f64,
    halted: bool,
    mode: Mode,
    symbols: Vec<String>,
    limit: Option<u64>,
    label: Option<String>,
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Paper,
    Live,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    cert_file: PathBuf,
    key_file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: "data".into(),
            trading: Trading::default(),
            ports: BTreeMap::from([("trading".to_owned(), 7106), ("gateway".to_owned(), 8080)]),
            peers: BTreeMap::new(),
            tls: None,
        }
    }
}

impl Default for Trading {
    fn default() -> Self {
        Trading {
            max_notional: "1000".to_owned(),
            workers: 2,
            offset: 0,
            ratio: 0.5,
            halted: false,
            mode: Mode::Paper,
            symbols: vec!["BTCUSDT".to_owned()],
            limit: None,
            label: None,
            url: String::new(),
        }
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect()
}

fn read(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded<Config>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trademesh.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    load(file.map(|_| path.as_path()), pairs(env).into_iter(), &pairs(flags))
}

#[test]
fn without_layers_the_defaults_stand() {
    let loaded = read(None, &[("PATH", "/bin"), ("TRADEMESH_TEST_POSTGRES", "x")], &[]).unwrap();
    assert_eq!(loaded.value, Config::default());
    assert!(loaded.provenance.values().all(|source| *source == Source::Default));
    assert!(loaded.provenance.contains_key("trading.max_notional"));
}

#[test]
fn a_later_layer_wins_and_each_value_knows_its_source() {
    let file = "data_dir = '/srv'\n[trading]\nworkers = 4\nratio = 0.25\nmax_notional = '7'\n[ports]\ntrading = 1\n";
    let env = [
        ("TRADEMESH_TRADING__WORKERS", "8"),
        ("TRADEMESH_TRADING__RATIO", "0.125"),
    ];
    let loaded = read(Some(file), &env, &[("trading.workers", "9"), ("trading.workers", "16")]).unwrap();
    let trading = &loaded.value.trading;
    assert_eq!(
        (trading.workers, trading.ratio, trading.max_notional.as_str()),
        (16, 0.125, "7")
    );
    assert_eq!(loaded.value.ports["trading"], 1);
    assert_eq!(loaded.value.ports["gateway"], 8080);
    let source = |key: &str| loaded.provenance[key].to_string();
    assert_eq!(source("trading.workers"), "flag --set");
    assert_eq!(source("trading.ratio"), "environment TRADEMESH_TRADING__RATIO");
    assert!(source("trading.max_notional").ends_with("trademesh.toml"));
    assert_eq!(source("trading.halted"), "default");
}

#[test]
fn texts_take_the_type_of_their_default() {
    let flags = [
        ("data_dir", "7"),
        ("trading.max_notional", "12"),
        ("trading.offset", "-3"),
        ("trading.ratio", "2"),
        ("trading.halted", "true"),
        ("trading.mode", "live"),
        ("trading.symbols", "ETHUSDT, BTCUSDT"),
        ("trading.limit", "18446744073709551615"),
        ("trading.label", "true"),
        ("peers.trading", "10.0.0.1:7106,10.0.0.2:7106"),
        ("peers.risk", r#"["10.0.0.3:7105"]"#),
        ("tls", "{ cert_file = 'c', key_file = 'k' }"),
    ];
    let config = read(None, &[("TRADEMESH_DATA_DIR", "x")], &flags).unwrap().value;
    assert_eq!(config.data_dir, PathBuf::from("7"));
    let trading = &config.trading;
    assert_eq!(
        (trading.max_notional.as_str(), trading.offset, trading.ratio),
        ("12", -3, 2.0)
    );
    assert_eq!((trading.halted, trading.mode), (true, Mode::Live));
    assert_eq!(trading.symbols, ["ETHUSDT", "BTCUSDT"]);
    assert_eq!(
        (trading.limit, trading.label.as_deref()),
        (Some(u64::MAX), Some("true"))
    );
    assert_eq!(config.peers["trading"], ["10.0.0.1:7106", "10.0.0.2:7106"]);
    assert_eq!(config.peers["risk"], ["10.0.0.3:7105"]);
    assert_eq!(config.tls.unwrap().key_file, PathBuf::from("k"));
}

#[test]
fn options_and_lists_are_emptied_by_the_empty_text() {
    let file = "[trading]\nlimit = 5\nlabel = 'x'\nsymbols = ['A']\n[tls]\ncert_file = 'c'\nkey_file = 'k'\n";
    let loaded = read(Some(file), &[], &[]).unwrap();
    assert_eq!(
        (loaded.value.trading.limit, loaded.value.tls.is_some()),
        (Some(5), true)
    );
    let flags = [
        ("trading.limit", ""),
        ("trading.label", ""),
        ("trading.symbols", ""),
        ("tls", ""),
    ];
    let config = read(Some(file), &[], &flags).unwrap().value;
    assert_eq!(
        (config.trading.limit, config.trading.label, config.tls),
        (None, None, None)
    );
    assert!(config.trading.symbols.is_empty());
}

fn refusal(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Error {
    let error = read(file, env, flags).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    error
}

#[test]
fn an_unknown_key_names_the_nearest_known_one_and_its_source() {
    let table: [(&str, Option<&str>); 6] = [
        ("trading.max_notionl", Some("trading.max_notional")),
        ("tradng.workers", Some("trading.workers")),
        ("workers", Some("trading.workers")),
        ("tradin", Some("trading")),
        ("trading.workers.deep", Some("trading.workers")),
        ("zzz.qqq", None),
    ];
    for (key, nearest) in table {
        let error = refusal(None, &[], &[(key, "1")]);
        assert_eq!(error.reason(), "CONFIG_UNKNOWN_KEY");
        assert_eq!(error.context().get("nearest").map(String::as_str), nearest, "{key}");
        assert_eq!(error.context()["source"], "flag --set");
    }
    let error = refusal(None, &[("TRADEMESH_TRADING__MAX_NOTIONL", "1")], &[]);
    assert_eq!(
        error.message(),
        "unknown key 'trading.max_notionl': did you mean 'trading.max_notional'? \
         (environment TRADEMESH_TRADING__MAX_NOTIONL)"
    );
    let error = refusal(Some("[trading]\nworker = 1\n"), &[], &[]);
    assert!(error.message().contains("'trading.workers'? (file "), "{error}");
    assert_eq!(
        refusal(None, &[], &[("ports.tradin", "1")]).context()["nearest"],
        "ports.trading"
    );
}

#[test]
fn a_wrong_value_names_key_expectation_and_source() {
    let table = [
        ("trading.workers", "many", "expected u16"),
        ("trading.workers", "70000", "expected u16"),
        ("trading.ratio", "half", "expected f64"),
        ("trading.halted", "perhaps", "expected a boolean"),
        ("trading.mode", "dream", "expected `paper` or `live`"),
        ("trading.limit", "-1", "expected u64"),
        ("ports.trading", "x", "expected u16"),
        ("trading", "x", "expected struct Trading"),
    ];
    for (key, text, expectation) in table {
        let error = refusal(None, &[], &[(key, text)]);
        assert_eq!((error.reason(), error.context()["key"].as_str()), ("CONFIG_VALUE", key));
        assert!(error.message().contains(expectation), "{error}");
        assert!(error.message().ends_with("(flag --set)"), "{error}");
    }
    let files = [
        ("trading = 3", "trading"),
        ("[trading]\nworkers = '4'", "trading.workers"),
        ("[trading]\nratio = inf", "trading.ratio"),
        ("[trading]\nworkers = 1979-05-27", "trading.workers"),
        ("[tls]\ncert_file = 'c'", "tls"),
        ("[peers]\ntrading = [inf]", "peers.trading"),
    ];
    for (file, key) in files {
        let error = refusal(Some(file), &[], &[]);
        assert_eq!(
            (error.reason(), error.context()["key"].as_str()),
            ("CONFIG_VALUE", key),
            "{error}"
        );
        assert!(error.message().contains("trademesh.toml"), "{error}");
    }
}

#[test]
fn a_file_that_is_absent_or_broken_is_named() {
    for (text, line) in [
        ("[trading", "1"),
        ("[trading]\nworkers = 3\nmode = paper\n", "3"),
        ("[trading]\nworkers = 1\nworkers = 2\n", "3"),
        ("\n\nhalted", "3"),
    ] {
        let error = refusal(Some(text), &[], &[]);
        assert_eq!(error.reason(), "CONFIG_SYNTAX");
        assert_eq!(error.context()["line"], line, "{text}: {error}");
        let named = format!("trademesh.toml, line {line}: ");
        assert!(error.message().contains(&named), "{text}: {}", error.message());
        assert_eq!(error.message().lines().count(), 1, "{}", error.message());
    }
    let error = load::<Config>(Some(Path::new("/nonexistent/x.toml")), std::iter::empty(), &[]).unwrap_err();
    assert_eq!(error.reason(), "CONFIG_FILE");
    assert!(error.message().contains("/nonexistent/x.toml"));
}

#[test]
fn entries_show_what_is_in_force_without_passwords() {
    let flags = [
        ("peers.risk", "a:1"),
        ("tls", "{ cert_file = 'c', key_file = 'k' }"),
        ("trading.url", "postgres://user:hunter2@host/db"),
    ];
    let entries = read(None, &[], &flags).unwrap().entries().unwrap();
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key).unwrap();
    assert_eq!(entry("peers.risk").value, r#"["a:1"]"#);
    assert_eq!(entry("tls.key_file").source, Source::Flag);
    assert_eq!(entry("trading.url").value, r#""postgres://user:…@host/db""#);
    assert_eq!(
        (entry("trading.limit").value.as_str(), &entry("trading.limit").source),
        ("null", &Source::Default)
    );
    assert!(entries.is_sorted_by_key(|entry| entry.key.clone()));
    assert_eq!(secret::without_password("http://host/a@b:c"), "http://host/a@b:c");
    assert_eq!(secret::without_password("http://user@host"), "http://user@host");
}

#[test]
fn an_option_out_of_its_bounds_names_key_value_and_bounds() {
    let rules = |value| [("workers", value, 1, 8), ("queue", 5, 5, 5)];
    for value in [1, 8] {
        check_bounds("trading", &rules(value)).unwrap();
    }
    for value in [0, 9] {
        let error = check_bounds("trading", &rules(value)).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Invalid, "CONFIG_OUT_OF_BOUNDS"));
        assert_eq!(error.context()["key"], "trading.workers");
        assert_eq!(error.message(), format!("trading.workers must be 1 to 8, not {value}"));
    }
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "hunter2\r\n").unwrap();
    let secret = read_secret(&path).unwrap();
    assert_eq!(
        (secret.expose(), format!("{secret:?}").as_str()),
        ("hunter2", "Secret(…)")
    );
    for content in ["\n".to_owned(), "x".repeat(70_000)] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(read_secret(&path).unwrap_err().reason(), "CONFIG_SECRET");
    }
    assert_eq!(
        read_secret(&folder.path().join("none")).unwrap_err().reason(),
        "CONFIG_SECRET"
    );
}

/// A default that cannot be written down is a defect, and said so.
#[derive(Debug, Default, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[test]
fn a_default_that_cannot_be_written_is_a_defect() {
    let error = load::<Unwritable>(None, std::iter::empty(), &[]).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Internal, "CONFIG_DEFAULT"));
}
