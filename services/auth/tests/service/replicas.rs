//! Two processes of the service beside each other on one store.

use std::collections::BTreeSet;

use mesh::pb::auth::{GetKeysRequest, GetKeysResponse, LogoutRequest};

use crate::support::{Place, config, reason, with_token};

async fn published(place: &Place) -> GetKeysResponse {
    place.client().get_keys(GetKeysRequest {}).await.unwrap().into_inner()
}

fn kids(published: &GetKeysResponse) -> BTreeSet<&str> {
    published.keys.iter().map(|key| key.kid.as_str()).collect()
}

#[tokio::test]
async fn each_publishes_the_keys_and_revocations_of_both() {
    for store in mesh::store::testing::engines() {
        let one = Place::open(store.clone(), config()).await;
        let two = Place::open(store, config()).await;
        assert!(!two.password_file().exists(), "there is a first user already");
        let admin = one.admin().await;
        one.client().logout(with_token(LogoutRequest {}, &admin)).await.unwrap();
        let (at_one, at_two) = (published(&one).await, published(&two).await);
        assert_eq!(kids(&at_one).len(), 2, "each signs with its own key");
        assert_eq!(kids(&at_one), kids(&at_two));
        assert_eq!(at_two.revoked_token_ids.len(), 1);
        assert_eq!(at_one.revoked_token_ids, at_two.revoked_token_ids);
    }
}

#[tokio::test]
async fn a_refresh_token_works_once_over_both() {
    for store in mesh::store::testing::engines() {
        let one = Place::open(store.clone(), config()).await;
        let two = Place::open(store, config()).await;
        let (session, _) = one.login("admin", &one.first_password()).await.unwrap();
        let (at_one, at_two) = tokio::join!(one.refresh(&session.refresh_token), two.refresh(&session.refresh_token));
        assert!(at_one.is_ok() != at_two.is_ok(), "one wins");
        let winner = at_one.or(at_two).unwrap();
        for place in [&one, &two] {
            let refusal = place.refresh(&winner.refresh_token).await.unwrap_err();
            assert_eq!(reason(refusal), "INVALID_REFRESH_TOKEN");
        }
    }
}
