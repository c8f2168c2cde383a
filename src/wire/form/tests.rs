use super::{inside, inside_item, items, length, one_of, page_size, within, within_reals};
use crate::error::Error;
use crate::pb::auth::{Access, CreateUserRequest};
use crate::pb::checks;
use crate::pb::checks::FORMS;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use regex::Regex;

/// What the API page says of a text.
fn page_allows(pattern: &Regex, longest: usize, text: &str) -> bool {
    pattern.is_match(text) && (longest == 0 || text.chars().count() <= longest)
}

fn regexes() -> Vec<Regex> {
    FORMS
        .iter()
        .map(|(_, _, pattern, _)| Regex::new(pattern).unwrap())
        .collect()
}

#[test]
fn page_and_check_agree_at_every_edge() {
    let long = |character: &str, count: usize| character.repeat(count);
    let mut texts: Vec<String> = [
        "",
        "0",
        "00",
        "0.",
        ".5",
        "0.0",
        "0.10",
        "1",
        "01",
        "1.5",
        "-1",
        "+1",
        "1e4",
        "1.2.3",
        "0.000000000000000001",
        "0.0000000000000000001",
        "99999999999999999999",
        "999999999999999999999",
        "BTCUSDT",
        "btcusdt",
        "BTC/USDT",
        "*",
        "**",
        "*a",
        "a",
        "A",
        "a.b_c-d",
        "a:b",
        "a/b",
        "a b",
        "ä",
        "\n",
        "a\n",
        "\na",
        "a\u{7f}",
        "a\u{85}",
        "a\u{0}",
        "1\n",
        "٣",
        "QQ",
        "QR",
        "QUI",
        "QUJD",
        "QUJDQ",
        "QUJDQQ",
        "QUJDQQ==",
        "-_-_",
        "AAAB",
        "AB",
    ]
    .map(str::to_owned)
    .to_vec();
    for count in [15, 16, 17, 19, 20, 21, 31, 32, 33, 36, 37, 64, 65, 255, 256, 257, 260] {
        texts.extend([
            long("a", count),
            long("A", count),
            long("1", count),
            format!("0.{}1", long("0", count)),
        ]);
    }
    for ((name, check, _, longest), pattern) in FORMS.iter().zip(regexes()) {
        for text in &texts {
            let is_taken = check("field", text).is_ok();
            assert_eq!(is_taken, page_allows(&pattern, *longest, text), "{name} of {text:?}");
        }
    }
}

#[test]
fn what_the_page_allows_is_taken() {
    let mut runner = TestRunner::deterministic();
    for (name, check, pattern, longest) in FORMS {
        let texts = string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap();
        for _ in 0..64 {
            let text = texts.new_tree(&mut runner).unwrap().current();
            if *longest == 0 || text.chars().count() <= *longest {
                assert!(check("field", &text).is_ok(), "{name} of {text:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_the_page_does_not_allow_is_refused(text in "[0-9A-Za-z._:/*=\\-]{0,40}|.{0,12}") {
        for ((name, check, _, longest), pattern) in FORMS.iter().zip(regexes()) {
            prop_assert_eq!(check("field", &text).is_ok(), page_allows(&pattern, *longest, &text), "{}", name);
        }
    }
}

fn field_of(error: &Error) -> (&str, &str) {
    (error.reason(), error.context().get("field").map_or("", String::as_str))
}

#[test]
fn bounds_are_inclusive_and_named() {
    assert!(items("symbols", 0, 0, 0).is_ok() && items("symbols", 1_000, 1, 1_000).is_ok());
    assert_eq!(items("symbols", 0, 1, 0).unwrap_err().context()["min"], "1");
    assert_eq!(items("symbols", 3, 0, 2).unwrap_err().context()["max"], "2");
    assert!(length("password", "ääää", 4, 4).is_ok() && length("password", "ä", 0, 0).is_ok());
    assert_eq!(length("password", "äää", 4, 9).unwrap_err().context()["min"], "4");
    let error = length("password", "secret", 0, 5).unwrap_err();
    assert_eq!(error.message(), "password: at most 5 characters, not 6");
    for (number, is_within) in [(-1, false), (0, true), (5, true), (6, false)] {
        assert_eq!(within("depth", number, Some(0), Some(5)).is_ok(), is_within, "{number}");
    }
    assert!(within("depth", i128::from(u64::MAX), None, None).is_ok());
    for (number, is_within) in [
        (-0.1, false),
        (0.0, true),
        (0.5, true),
        (1.0, true),
        (1.1, false),
        (f64::NAN, false),
        (f64::INFINITY, false),
    ] {
        let checked = within_reals("stale", number, Some(0.0), Some(1.0));
        assert_eq!(checked.is_ok(), is_within, "{number}");
    }
    let error = |number| within_reals("stale", number, Some(0.0), Some(1.0)).unwrap_err();
    assert_eq!(
        (&*error(-1.0).context()["min"], &*error(2.5).context()["max"]),
        ("0", "1")
    );
    assert_eq!(error(2.5).message(), "stale: at most 1, not 2.5");
    assert!(within_reals("stale", f64::NAN, None, None).is_ok(), "nothing is stated");
    assert_eq!(
        one_of("role", "root", &["admin", "bot"]).unwrap_err().message(),
        "role: one of admin, bot"
    );
    assert_eq!(
        page_size("page_size", 1_001).unwrap_err().reason(),
        "PAGE_SIZE_TOO_LARGE"
    );
    assert!(page_size("page_size", 0).is_ok());
}

#[test]
fn a_message_within_another_names_the_whole_path() {
    let inner = Err(super::invalid("price", "no").with("min", 3).with("max", 4));
    let error = inside("leg", inside("order", inner)).unwrap_err();
    assert_eq!(field_of(&error), ("INVALID_FIELD", "leg.order.price"));
    assert_eq!(error.message(), "leg.order.price: no");
    let item = |inner| inside_item("legs", 2, inner);
    assert!(item(Ok(())).is_ok());
    let of_item = item(Err(super::invalid("price", "no"))).unwrap_err();
    assert_eq!(field_of(&of_item), ("INVALID_FIELD", "legs[2].price"));
    assert_eq!(
        (&error.context()["min"], &error.context()["max"]),
        (&"3".to_owned(), &"4".to_owned())
    );
}

#[test]
fn a_generated_check_names_the_first_wrong_field() {
    let good = CreateUserRequest {
        user_name: "ada".to_owned(),
        password: "correct horse".to_owned(),
        access: Some(Access {
            roles: vec!["trader".to_owned()],
            accounts: vec!["*".to_owned()],
        }),
    };
    let check = |change: fn(&mut CreateUserRequest)| {
        let mut request = good.clone();
        change(&mut request);
        checks::trademesh_auth_v1_create_user_request(&request)
    };
    assert!(check(|_| {}).is_ok());
    type Edit = fn(&mut CreateUserRequest);
    let cases: [(Edit, &str); 8] = [
        (|request| request.user_name.clear(), "user_name"),
        (|request| request.user_name = "Ada".to_owned(), "user_name"),
        (|request| request.password = "short".to_owned(), "password"),
        (|request| request.password = "x".repeat(257), "password"),
        (|request| request.access = None, "access"),
        (|request| request.access.as_mut().unwrap().roles.clear(), "access.roles"),
        (
            |request| request.access.as_mut().unwrap().roles[0] = "root".to_owned(),
            "access.roles",
        ),
        (
            |request| request.access.as_mut().unwrap().accounts[0].clear(),
            "access.accounts",
        ),
    ];
    for (change, field) in cases {
        let error = check(change).unwrap_err();
        assert_eq!(field_of(&error), ("INVALID_FIELD", field));
        assert!(!error.message().contains("xxx"), "a secret is not repeated");
    }
}
