//! Users and service accounts: made, listed, changed and removed.

use mesh::pb::auth::{
    Access, ChangePasswordRequest, CreateServiceAccountRequest, CreateUserRequest, DeleteServiceAccountRequest,
    GetCurrentUserRequest, GetKeysRequest, IssueClientTokenRequest, ListServiceAccountsRequest, ListUsersRequest,
    UpdateUserRequest,
};

use crate::support::{NEW_PASSWORD, access, places, reason, with_token};

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
            "INVALID_FIELD"
        );
        assert_eq!(
            reason(place.create_user(&admin, "bob", &["service"]).await.unwrap_err()),
            "INVALID_FIELD"
        );
        let short = CreateUserRequest {
            user_name: "bob".into(),
            password: "short".into(),
            access: Some(access(&["bot"], &[])),
        };
        assert_eq!(
            reason(client.create_user(with_token(short, &admin)).await.unwrap_err()),
            "INVALID_FIELD"
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
            ("password", "bot-1", secret, "INVALID_FIELD"),
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
