//! What is bounded: tokens of a service account, sessions of a user, pages; and what is published of keys.

use std::time::Duration;

use mesh::Error;
use mesh::error::Kind;
use mesh::pb::auth::{
    CreateServiceAccountRequest, GetCurrentUserRequest, GetKeysRequest, IssueClientTokenRequest,
    ListServiceAccountsRequest, ListUsersRequest, LogoutRequest,
};

use crate::support::{Place, access, config, places, reason, with_token};

#[tokio::test]
async fn a_service_account_holds_so_many_tokens() {
    for store in mesh::store::testing::engines() {
        let config = auth::Config {
            tokens_per_service_account: 2,
            ..config()
        };
        let place = Place::open(store, config).await;
        let create = CreateServiceAccountRequest {
            client_id: "bot-1".into(),
            description: String::new(),
            access: Some(access(&["bot"], &["paper-1"])),
        };
        let admin = place.admin().await;
        let made = place
            .client()
            .create_service_account(with_token(create, &admin))
            .await
            .unwrap()
            .into_inner();
        let issue = || {
            let request = IssueClientTokenRequest {
                grant_type: "client_credentials".into(),
                client_id: "bot-1".into(),
                client_secret: made.client_secret.clone(),
            };
            let mut client = place.client();
            async move {
                client
                    .issue_client_token(request)
                    .await
                    .map(|answer| answer.into_inner().access_token)
            }
        };
        let first = issue().await.unwrap();
        place.manual.advance(Duration::from_secs(100));
        issue().await.unwrap();
        let refusal = Error::from(issue().await.unwrap_err());
        assert_eq!((refusal.kind(), refusal.reason()), (Kind::Exhausted, "TOO_MANY_TOKENS"));
        assert_eq!(refusal.context()["limit"], "2");
        assert_eq!(
            refusal.retry_delay(),
            Some(Duration::from_secs(500)),
            "when the first expires"
        );

        place
            .client()
            .logout(with_token(LogoutRequest {}, &first))
            .await
            .unwrap();
        let refusal = issue().await.unwrap_err();
        assert_eq!(
            reason(refusal),
            "TOO_MANY_TOKENS",
            "a token that was given up still has to be remembered"
        );
        place.manual.advance(Duration::from_secs(500));
        issue().await.unwrap();
        assert!(issue().await.is_err());
    }
}

#[tokio::test]
async fn a_session_too_many_ends_the_oldest() {
    for store in mesh::store::testing::engines() {
        let place = Place::open(
            store,
            auth::Config {
                sessions_per_user: 2,
                ..config()
            },
        )
        .await;
        let password = place.first_password();
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(place.login("admin", &password).await.unwrap().0);
            place.manual.advance(Duration::from_secs(1));
        }
        for (number, session) in sessions.iter().enumerate() {
            let request = with_token(GetCurrentUserRequest {}, &session.access_token);
            let answer = place.client().get_current_user(request).await;
            let refreshed = place.refresh(&session.refresh_token).await;
            if number < 2 {
                assert_eq!(reason(answer.unwrap_err()), "TOKEN_REVOKED", "session {number}");
                assert_eq!(
                    reason(refreshed.unwrap_err()),
                    "INVALID_REFRESH_TOKEN",
                    "session {number}"
                );
            } else {
                assert!(answer.is_ok() && refreshed.is_ok(), "session {number}");
            }
        }
        let keys = place.client().get_keys(GetKeysRequest {}).await.unwrap().into_inner();
        assert_eq!(keys.revoked_token_ids.len(), 2);
    }
}

#[tokio::test]
async fn revocations_are_published_until_their_tokens_have_expired() {
    for place in places().await {
        let admin = place.admin().await;
        place
            .client()
            .logout(with_token(LogoutRequest {}, &admin))
            .await
            .unwrap();
        let published = async || {
            let keys = place.client().get_keys(GetKeysRequest {}).await.unwrap().into_inner();
            keys.revoked_token_ids.len()
        };
        assert_eq!(published().await, 1);
        // An access token's 600 seconds, and the minute by which clocks may differ.
        place.manual.advance(Duration::from_secs(659));
        assert_eq!(published().await, 1);
        place.manual.advance(Duration::from_secs(1));
        assert_eq!(published().await, 0);
    }
}

#[tokio::test]
async fn the_keys_of_services_are_published_with_their_owners() {
    let place = Place::with_service_keys().await;
    let risk = place.service("risk");
    let published = || {
        let mut client = place.client();
        async move { client.get_keys(GetKeysRequest {}).await.unwrap().into_inner() }
    };
    let answer = published().await;
    assert!(answer.time.is_some());
    let key = answer.keys.iter().find(|key| key.owner == "risk").unwrap();
    assert_eq!(
        (key.kid.as_str(), key.x.clone()),
        (risk.public_key().kid(), risk.public_key().x())
    );
    let constants = [&key.kty, &key.crv, &key.alg, &key.r#use].map(String::as_str);
    assert_eq!(constants, ["OKP", "Ed25519", "EdDSA", "sig"]);
    assert_eq!(answer.keys.iter().filter(|key| key.owner == "users").count(), 1);

    let ml = place.service("ml");
    assert!(
        published().await.keys.iter().all(|key| key.owner != "ml"),
        "the folder is read once a second"
    );
    place.manual.advance(Duration::from_secs(1));
    let keys = published().await.keys;
    assert!(
        keys.iter()
            .any(|key| key.owner == "ml" && key.kid == ml.public_key().kid())
    );
}

#[tokio::test]
async fn pages_are_bounded_and_their_tokens_checked() {
    let place = Place::open(mesh::store::testing::sqlite(), config()).await;
    let admin = place.admin().await;
    let table = [
        (-1, "", "PAGE_SIZE_NEGATIVE"),
        (1001, "", "PAGE_SIZE_TOO_LARGE"),
        (0, "!", "PAGE_TOKEN_INVALID"),
    ];
    for (page_size, page_token, expected) in table {
        let users = ListUsersRequest {
            page_size,
            page_token: page_token.into(),
        };
        let accounts = ListServiceAccountsRequest {
            page_size,
            page_token: page_token.into(),
        };
        let refusal = place.client().list_users(with_token(users, &admin)).await.unwrap_err();
        assert_eq!(reason(refusal), expected);
        let refusal = place
            .client()
            .list_service_accounts(with_token(accounts, &admin))
            .await
            .unwrap_err();
        assert_eq!(reason(refusal), expected);
    }
}
