//! Logins, refreshes, passwords and their ends.

use std::time::Duration;

use mesh::pb::auth::{
    ChangePasswordRequest, GetCurrentUserRequest, GetKeysRequest, ListUsersRequest, LogoutRequest, UpdateUserRequest,
};

use crate::support::{self, NEW_PASSWORD, Place, access, places, reason, with_token};

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
            (old.as_str(), "short", "INVALID_FIELD"),
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
