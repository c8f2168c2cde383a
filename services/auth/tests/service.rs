//! The service through its RPCs, on every engine: sessions, passwords, throttling, keys, users and service accounts.

mod support;

use std::time::Duration;

use mesh::Error;
use mesh::pb::auth::{
    Access, ChangePasswordRequest, CreateServiceAccountRequest, CreateUserRequest, DeleteServiceAccountRequest,
    GetCurrentUserRequest, GetKeysRequest, IssueClientTokenRequest, ListServiceAccountsRequest, ListUsersRequest,
    LogoutRequest, RefreshTokenRequest, UpdateUserRequest,
};
use support::{NEW_PASSWORD, Place, access, places, reason, with_token};

#[tokio::test]
async fn a_session_lives_refreshes_and_ends() {
    for place in places().await {
        let (session, must_change) = place.login("admin", &place.first_password()).await.unwrap();
        assert!(!must_change);
        let mut client = place.client();
        let request = with_token(GetCurrentUserRequest {}, &session.access_token);
        let me = client.get_current_user(request).await.unwrap().into_inner();
        assert_eq!(
            (me.subject.as_str(), me.access),
            ("admin", Some(access(&["admin"], &["*"])))
        );
        assert!(me.permissions.contains(&"users.write".to_owned()) && me.expire_time.is_some());

        let next = place.refresh(&session.refresh_token).await.unwrap();
        assert_ne!(next.refresh_token, session.refresh_token);
        client
            .logout(with_token(LogoutRequest {}, &next.access_token))
            .await
            .unwrap();
        for token in [&next.access_token, &session.access_token] {
            let status = client.logout(with_token(LogoutRequest {}, token)).await.unwrap_err();
            assert_eq!(reason(status), "TOKEN_REVOKED");
        }
        assert_eq!(
            reason(place.refresh(&next.refresh_token).await.unwrap_err()),
            "INVALID_REFRESH_TOKEN"
        );
    }
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_the_session() {
    for place in places().await {
        let (session, _) = place.login("admin", &place.first_password()).await.unwrap();
        let (one, two) = tokio::join!(
            place.refresh(&session.refresh_token),
            place.refresh(&session.refresh_token)
        );
        assert!(one.is_ok() != two.is_ok(), "one wins");
        let winner = one.or(two).unwrap();
        assert_eq!(
            reason(place.refresh(&winner.refresh_token).await.unwrap_err()),
            "INVALID_REFRESH_TOKEN"
        );
        let status = place
            .client()
            .logout(with_token(LogoutRequest {}, &winner.access_token))
            .await
            .unwrap_err();
        assert_eq!(reason(status), "TOKEN_REVOKED");
        for token in [
            "",
            "x.y",
            "00000000000000000000000000000000.0000000000000000000000000000000000000000000",
        ] {
            assert_eq!(reason(place.refresh(token).await.unwrap_err()), "INVALID_REFRESH_TOKEN");
        }
        let (session, _) = place.login("admin", &place.first_password()).await.unwrap();
        place.manual.advance(Duration::from_secs(30 * 86_400));
        assert_eq!(
            reason(place.refresh(&session.refresh_token).await.unwrap_err()),
            "INVALID_REFRESH_TOKEN"
        );
    }
}

#[tokio::test]
async fn unknown_wrong_and_disabled_are_one_answer_and_attempts_are_counted() {
    for place in places().await {
        let admin = place.admin().await;
        place.create_user(&admin, "ada", &["trader"]).await.unwrap();
        let update = UpdateUserRequest {
            user_name: "ada".into(),
            access: None,
            disabled: Some(true),
        };
        place.client().update_user(with_token(update, &admin)).await.unwrap();
        let refusals = [
            place.login("nobody", NEW_PASSWORD).await.unwrap_err(),
            place.login("admin", NEW_PASSWORD).await.unwrap_err(),
            place.login("ada", NEW_PASSWORD).await.unwrap_err(),
            place.login("Not A Name", NEW_PASSWORD).await.unwrap_err(),
        ];
        let refusals: Vec<_> = refusals
            .into_iter()
            .map(|status| (status.code(), status.message().to_owned()))
            .collect();
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]));
        for _ in 0..9 {
            assert_eq!(
                reason(place.login("nobody", NEW_PASSWORD).await.unwrap_err()),
                "INVALID_CREDENTIALS"
            );
        }
        let refusal = place.login("nobody", NEW_PASSWORD).await.unwrap_err();
        assert_eq!(reason(refusal), "TOO_MANY_ATTEMPTS");
        place.manual.advance(Duration::from_secs(30));
        assert_eq!(
            reason(place.login("nobody", NEW_PASSWORD).await.unwrap_err()),
            "INVALID_CREDENTIALS"
        );
    }
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    for place in places().await {
        let old = place.first_password();
        let (session, _) = place.login("admin", &old).await.unwrap();
        let change = |current: &str, new: &str| {
            let request = ChangePasswordRequest {
                current_password: current.into(),
                new_password: new.into(),
            };
            with_token(request, &session.access_token)
        };
        let mut client = place.client();
        let cases = [
            (old.as_str(), "short", "PASSWORD_LENGTH"),
            (&old, &old, "PASSWORD_UNCHANGED"),
            ("wrong", NEW_PASSWORD, "INVALID_CREDENTIALS"),
        ];
        for (current, new, expected) in cases {
            assert_eq!(
                reason(client.change_password(change(current, new)).await.unwrap_err()),
                expected
            );
        }
        let tokens = client
            .change_password(change(&old, NEW_PASSWORD))
            .await
            .unwrap()
            .into_inner()
            .tokens
            .unwrap();
        assert!(!place.password_file().exists());
        assert_eq!(
            reason(place.refresh(&session.refresh_token).await.unwrap_err()),
            "INVALID_REFRESH_TOKEN"
        );
        assert!(place.refresh(&tokens.refresh_token).await.is_ok());
        assert!(place.login("admin", &old).await.is_err());
        assert!(place.login("admin", NEW_PASSWORD).await.is_ok());
    }
}

#[tokio::test]
async fn users_are_created_listed_and_changed() {
    for place in places().await {
        let admin = place.admin().await;
        let mut client = place.client();
        place.create_user(&admin, "ada", &["trader"]).await.unwrap();
        assert_eq!(
            reason(place.create_user(&admin, "ada", &["trader"]).await.unwrap_err()),
            "NAME_TAKEN"
        );
        assert_eq!(
            reason(place.create_user(&admin, "Ada", &["trader"]).await.unwrap_err()),
            "NAME_INVALID"
        );
        assert_eq!(
            reason(place.create_user(&admin, "bob", &["service"]).await.unwrap_err()),
            "ROLE_UNKNOWN"
        );
        let short = CreateUserRequest {
            user_name: "bob".into(),
            password: "short".into(),
            access: Some(access(&["bot"], &[])),
        };
        assert_eq!(
            reason(client.create_user(with_token(short, &admin)).await.unwrap_err()),
            "PASSWORD_LENGTH"
        );

        let mut names = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListUsersRequest {
                page_size: 1,
                page_token,
            };
            let page = client
                .list_users(with_token(request, &admin))
                .await
                .unwrap()
                .into_inner();
            names.extend(page.users.into_iter().map(|user| user.user_name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["ada", "admin"]);

        let (ada, _) = place.login("ada", NEW_PASSWORD).await.unwrap();
        let listed = client
            .list_users(with_token(ListUsersRequest::default(), &ada.access_token))
            .await
            .unwrap_err();
        assert_eq!(listed.code(), tonic::Code::PermissionDenied);
        let update = |name: &str, access: Option<Access>, disabled| {
            with_token(
                UpdateUserRequest {
                    user_name: name.into(),
                    access,
                    disabled,
                },
                &admin,
            )
        };
        let refusals = [
            (update("admin", None, Some(true)), "LAST_ADMIN"),
            (update("admin", Some(access(&["viewer"], &[])), None), "LAST_ADMIN"),
            (update("nobody", None, None), "USER_NOT_FOUND"),
        ];
        for (request, expected) in refusals {
            assert_eq!(reason(client.update_user(request).await.unwrap_err()), expected);
        }
        client.update_user(update("ada", None, None)).await.unwrap();
        client
            .update_user(update("ada", Some(access(&["viewer"], &[])), None))
            .await
            .unwrap();
        let request = with_token(GetCurrentUserRequest {}, &ada.access_token);
        assert_eq!(
            reason(client.get_current_user(request).await.unwrap_err()),
            "TOKEN_REVOKED"
        );
        let ada = place.refresh(&ada.refresh_token).await.unwrap();
        client.update_user(update("ada", None, Some(true))).await.unwrap();
        assert!(place.refresh(&ada.refresh_token).await.is_err());
    }
}

#[tokio::test]
async fn service_accounts_get_tokens_until_they_are_deleted() {
    for place in places().await {
        let admin = place.admin().await;
        let mut client = place.client();
        let create = CreateServiceAccountRequest {
            client_id: "bot-1".into(),
            description: "a bot".into(),
            access: Some(access(&["bot"], &["paper-1"])),
        };
        let made = client
            .create_service_account(with_token(create.clone(), &admin))
            .await
            .unwrap()
            .into_inner();
        let again = client
            .create_service_account(with_token(create, &admin))
            .await
            .unwrap_err();
        assert_eq!(reason(again), "NAME_TAKEN");
        let issue = |grant_type: &str, client_id: &str, secret: &str| IssueClientTokenRequest {
            grant_type: grant_type.into(),
            client_id: client_id.into(),
            client_secret: secret.into(),
        };
        let secret = made.client_secret.as_str();
        let cases = [
            ("password", "bot-1", secret, "GRANT_TYPE_UNSUPPORTED"),
            ("client_credentials", "bot-1", "wrong", "INVALID_CREDENTIALS"),
            ("client_credentials", "bot-2", secret, "INVALID_CREDENTIALS"),
            ("client_credentials", "", secret, "INVALID_CREDENTIALS"),
        ];
        for (grant, id, secret, expected) in cases {
            assert_eq!(
                reason(client.issue_client_token(issue(grant, id, secret)).await.unwrap_err()),
                expected
            );
        }
        let request = issue("client_credentials", "bot-1", secret);
        let token = client.issue_client_token(request).await.unwrap().into_inner();
        assert_eq!((token.token_type.as_str(), token.expires_in), ("Bearer", 600));
        let change = ChangePasswordRequest {
            current_password: "x".into(),
            new_password: NEW_PASSWORD.into(),
        };
        let refusal = client
            .change_password(with_token(change, &token.access_token))
            .await
            .unwrap_err();
        assert_eq!(reason(refusal), "NOT_A_USER");
        let list = client
            .list_service_accounts(with_token(ListServiceAccountsRequest::default(), &admin))
            .await;
        assert_eq!(
            list.unwrap().into_inner().service_accounts,
            [made.service_account.unwrap()]
        );

        let delete = || {
            with_token(
                DeleteServiceAccountRequest {
                    client_id: "bot-1".into(),
                },
                &admin,
            )
        };
        client.delete_service_account(delete()).await.unwrap();
        let refusal = client.delete_service_account(delete()).await.unwrap_err();
        assert_eq!(reason(refusal), "SERVICE_ACCOUNT_NOT_FOUND");
        let request = with_token(GetCurrentUserRequest {}, &token.access_token);
        assert_eq!(
            reason(client.get_current_user(request).await.unwrap_err()),
            "TOKEN_REVOKED"
        );
        let keys = client.get_keys(GetKeysRequest {}).await.unwrap().into_inner();
        assert_eq!(keys.revoked_token_ids.len(), 1);
        assert!(keys.keys.iter().any(|key| key.owner == "users" && key.kty == "OKP"));
    }
}

#[tokio::test]
async fn until_the_password_is_changed_little_is_permitted() {
    let config = auth::Config {
        require_password_change: true,
        ..support::config()
    };
    let place = Place::open(mesh::store::testing::sqlite(), config).await;
    let (session, must_change) = place.login("admin", &place.first_password()).await.unwrap();
    assert!(must_change);
    let refused = place
        .client()
        .list_users(with_token(ListUsersRequest::default(), &session.access_token))
        .await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    let request = ChangePasswordRequest {
        current_password: place.first_password(),
        new_password: NEW_PASSWORD.into(),
    };
    let tokens = place
        .client()
        .change_password(with_token(request, &session.access_token))
        .await
        .unwrap();
    let token = tokens.into_inner().tokens.unwrap().access_token;
    assert!(
        place
            .client()
            .list_users(with_token(ListUsersRequest::default(), &token))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_restart_keeps_users_keys_and_revocations() {
    for store in mesh::store::testing::engines() {
        let first = Place::open(store.clone(), support::config()).await;
        let keys = |place: &Place| {
            let mut client = place.client();
            async move { client.get_keys(GetKeysRequest {}).await.unwrap().into_inner().keys }
        };
        let (before, password) = (keys(&first).await, first.first_password());
        let (session, _) = first.login("admin", &password).await.unwrap();
        let again = first.again(store).await;
        assert_eq!(keys(&again).await, before);
        assert!(again.refresh(&session.refresh_token).await.is_ok());
        assert!(again.login("admin", &password).await.is_ok());
    }
}

/// What the refusals of this file are compared by.
#[test]
fn a_status_carries_its_reason() {
    assert_eq!(reason(Error::refused("LAST_ADMIN", "no").into()), "LAST_ADMIN");
}
