//! Who is logged in, for how long, and what is said to those who are not.

use crate::support::{Person, platform};
use serde_json::json;
use std::net::TcpListener;

#[tokio::test]
async fn nobody_is_logged_in_at_first() {
    let person = Person::new(&platform().server, &platform().folder);
    for typed in [
        &["status"][..],
        &["quote"],
        &["orders"],
        &["watch", "quotes"],
        &["order", "buy", "BTCUSDT", "1"],
    ] {
        assert_eq!(
            person.refusal(typed).await,
            (3, "NOT_LOGGED_IN".to_owned()),
            "{typed:?}"
        );
    }
}

#[tokio::test]
async fn a_session_that_expires_is_renewed() {
    let admin = Person::admin().await;
    let before = admin.kept();
    admin.call(&["quote"]).await.unwrap();
    assert_eq!(admin.kept(), before, "it has time left");
    admin.keep("expires_at_micros", json!(0));
    admin.call(&["quote"]).await.unwrap();
    let renewed = admin.kept();
    assert_ne!(renewed["refresh_token"], before["refresh_token"]);
    assert!(renewed["expires_at_micros"].as_i64().unwrap() > 0);
    assert_eq!(
        (&renewed["user"], &renewed["server"]),
        (&before["user"], &before["server"])
    );
}

#[tokio::test]
async fn a_session_that_is_over_says_so() {
    let admin = Person::admin().await;
    admin.keep("expires_at_micros", json!(0));
    admin.keep("refresh_token", json!("another"));
    assert_eq!(admin.refusal(&["quote"]).await, (3, "SESSION_OVER".to_owned()));
}

#[tokio::test]
async fn a_damaged_session_says_so() {
    let admin = Person::admin().await;
    admin.keep("access_token", json!("two\nlines"));
    assert_eq!(admin.refusal(&["quote"]).await, (3, "SESSION_DAMAGED".to_owned()));
    admin.keep("access_token", json!("not.a.token"));
    assert_eq!(admin.refusal(&["quote"]).await.0, 3);
    std::fs::write(&admin.session, "{").unwrap();
    assert_eq!(admin.refusal(&["quote"]).await, (3, "SESSION_DAMAGED".to_owned()));
    std::fs::remove_file(&admin.session).unwrap();
    std::fs::create_dir(&admin.session).unwrap();
    assert_eq!(admin.refusal(&["quote"]).await, (2, "SESSION_UNREADABLE".to_owned()));
    assert_eq!(admin.login().await.unwrap_err().reason(), "SESSION_NOT_SAVED");
}

#[tokio::test]
async fn a_login_needs_the_right_password() {
    let person = Person::new(&platform().server, &platform().folder);
    let file = person.session.with_file_name("password");
    let path = file.to_str().unwrap();
    let typed = ["login", "--user", "nobody", "--password-file", path];
    assert_eq!(
        person.refusal(&typed).await,
        (2, "NO_PASSWORD".to_owned()),
        "there is no such file"
    );
    std::fs::write(&file, "wrong, and long enough\n").unwrap();
    assert_eq!(person.refusal(&typed).await.0, 3);
    assert!(!person.session.exists());
}

#[tokio::test]
async fn an_address_must_be_one_and_answer() {
    let mut admin = Person::admin().await;
    admin.server = "not an address".to_owned();
    assert_eq!(admin.refusal(&["quote"]).await, (2, "BAD_SERVER".to_owned()));
    // Bound but never accepted from would hang, so the port is given back first.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    admin.server = format!("http://{free}");
    for typed in [
        &["status"][..],
        &["orders"],
        &["positions"],
        &["order", "show", "0-1"],
        &["watch", "orders"],
    ] {
        assert_eq!(admin.refusal(typed).await, (4, "UNREACHABLE".to_owned()), "{typed:?}");
    }
    admin.keep("expires_at_micros", json!(0));
    assert_eq!(admin.refusal(&["quote"]).await, (4, "UNREACHABLE".to_owned()));
}
