use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::EncodingKey;

use super::{FRESH, INTRODUCED, Verifier, VerifierConfig};
use crate::identity::{AUDIENCE, Claims, Grants, ISSUER, Keys, PublicKey, Role, ServiceIdentity, TokenType, sign};
use crate::time::{Chance, Clock, ManualClock};

/// 2001-09-09, in seconds.
const NOW_S: i64 = 1_000_000_000;

struct Signer {
    public: PublicKey,
    private: EncodingKey,
}

fn signer(owner: &str, seed: u8) -> Signer {
    let key = SigningKey::from_bytes(&[seed; 32]);
    Signer {
        public: PublicKey::new(owner, key.verifying_key().to_bytes()).unwrap(),
        private: EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes()),
    }
}

fn claims() -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "ada".to_owned(),
        roles: vec!["trader".to_owned()],
        accounts: vec!["paper-1".to_owned()],
        jti: "token-1".to_owned(),
        iat: NOW_S,
        nbf: None,
        exp: NOW_S + 60,
        typ: TokenType::Access,
    }
}

impl Signer {
    fn sign(&self, claims: &Claims) -> String {
        sign(claims, &self.private, self.public.kid()).unwrap()
    }
}

fn verifier(config: VerifierConfig, keys: &[&Signer]) -> (Verifier, ManualClock) {
    let (clock, manual) = Clock::manual(NOW_S * 1_000_000);
    let verifier = Verifier::new(config, clock);
    let keys = keys.iter().map(|signer| signer.public.clone()).collect();
    verifier.replace(Keys {
        keys,
        ..Keys::default()
    });
    (verifier, manual)
}

fn reason(verifier: &Verifier, token: &str) -> String {
    verifier.verify(token).unwrap_err().reason().to_owned()
}

#[test]
fn a_good_token_names_its_principal() {
    let users = signer("users", 1);
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users]);
    let token = users.sign(&claims());
    let principal = verifier.verify(&token).unwrap();
    assert_eq!(principal.subject, "ada");
    assert_eq!(principal.roles, [Role::Trader].into());
    assert_eq!(principal.grants, Grants::from_names(["paper-1"]));
    assert_eq!(principal.expires_at_micros, (NOW_S + 60) * 1_000_000);
    assert!(
        std::sync::Arc::ptr_eq(&principal, &verifier.verify(&token).unwrap()),
        "the second time is remembered"
    );
}

#[test]
fn every_false_claim_is_refused_with_its_reason() {
    let users = signer("users", 1);
    let risk = signer("risk", 2);
    let stranger = signer("users", 3);
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users, &risk]);
    let c = claims;
    let service = Claims {
        typ: TokenType::Service,
        sub: "risk".to_owned(),
        ..c()
    };
    let cases = [
        (
            users.sign(&Claims {
                iss: "other".to_owned(),
                ..c()
            }),
            "TOKEN_INVALID",
        ),
        (
            users.sign(&Claims {
                aud: "other".to_owned(),
                ..c()
            }),
            "TOKEN_INVALID",
        ),
        (users.sign(&Claims { exp: NOW_S - 5, ..c() }), "TOKEN_EXPIRED"),
        (
            users.sign(&Claims {
                nbf: Some(NOW_S + 6),
                ..c()
            }),
            "TOKEN_NOT_YET_VALID",
        ),
        (users.sign(&Claims { iat: NOW_S + 6, ..c() }), "TOKEN_NOT_YET_VALID"),
        (
            users.sign(&Claims {
                roles: vec!["service".to_owned()],
                ..c()
            }),
            "TOKEN_ROLE",
        ),
        (
            users.sign(&Claims {
                roles: vec!["root".to_owned()],
                ..c()
            }),
            "TOKEN_ROLE",
        ),
        (users.sign(&service), "TOKEN_OWNER"),
        (risk.sign(&c()), "TOKEN_OWNER"),
        (
            risk.sign(&Claims {
                sub: "trading".to_owned(),
                ..service.clone()
            }),
            "TOKEN_OWNER",
        ),
        (risk.sign(&service), "TOKEN_TYPE"),
        (stranger.sign(&c()), "TOKEN_KEY_UNKNOWN"),
        ("no token".to_owned(), "TOKEN_MALFORMED"),
        (String::new(), "TOKEN_MALFORMED"),
    ];
    for (number, (token, expected)) in cases.iter().enumerate() {
        assert_eq!(reason(&verifier, token), *expected, "case {number}");
    }
}

#[test]
fn within_the_leeway_clocks_may_differ() {
    let users = signer("users", 1);
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users]);
    assert!(
        verifier
            .verify(&users.sign(&Claims {
                exp: NOW_S - 4,
                ..claims()
            }))
            .is_ok()
    );
    assert!(
        verifier
            .verify(&users.sign(&Claims {
                nbf: Some(NOW_S + 5),
                ..claims()
            }))
            .is_ok()
    );
}

#[test]
fn a_forged_signature_or_algorithm_is_refused() {
    let users = signer("users", 1);
    let stranger = signer("users", 3);
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users]);
    let forged = sign(&claims(), &stranger.private, users.public.kid()).unwrap();
    assert_eq!(reason(&verifier, &forged), "TOKEN_INVALID");
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(users.public.kid().to_owned());
    let secret = EncodingKey::from_secret(users.public.x().as_bytes());
    let confused = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(reason(&verifier, &confused), "TOKEN_ALGORITHM");
    let nameless = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
    let nameless = jsonwebtoken::encode(&nameless, &claims(), &users.private).unwrap();
    assert_eq!(reason(&verifier, &nameless), "TOKEN_MALFORMED");
}

#[test]
fn what_is_remembered_still_expires_and_is_still_revoked() {
    let users = signer("users", 1);
    let (verifier, manual) = verifier(VerifierConfig::default(), &[&users]);
    let token = users.sign(&claims());
    let other = users.sign(&Claims {
        jti: "token-2".to_owned(),
        ..claims()
    });
    verifier.verify(&token).unwrap();
    verifier.verify(&other).unwrap();
    verifier.revoke("token-1", (NOW_S + 60) * 1_000_000);
    assert_eq!(reason(&verifier, &token), "TOKEN_REVOKED");
    let keys = vec![users.public.clone()];
    verifier.replace(Keys {
        keys,
        revoked_token_ids: ["token-2".to_owned()].into(),
    });
    assert_eq!(reason(&verifier, &other), "TOKEN_REVOKED");
    assert_eq!(
        reason(&verifier, &token),
        "TOKEN_REVOKED",
        "a fetch does not undo a revocation made here"
    );
    manual.advance(Duration::from_secs(65));
    assert_eq!(reason(&verifier, &token), "TOKEN_EXPIRED");
    verifier.revoke("token-3", (NOW_S + 120) * 1_000_000);
    assert_eq!(
        verifier.0.state.read().revoked_here.len(),
        1,
        "what has expired need not be remembered as revoked"
    );
}

#[test]
fn a_key_that_is_withdrawn_verifies_nothing_any_more() {
    let users = signer("users", 1);
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users]);
    let token = users.sign(&claims());
    verifier.verify(&token).unwrap();
    verifier.replace(Keys::default());
    assert_eq!(reason(&verifier, &token), "TOKEN_KEY_UNKNOWN");
}

#[test]
fn fetched_keys_age_and_trusted_ones_do_not() {
    let users = signer("users", 1);
    let (verifier, manual) = verifier(
        VerifierConfig {
            keys_max_age_s: 600,
            ..VerifierConfig::default()
        },
        &[&users],
    );
    let token = users.sign(&Claims {
        exp: NOW_S + 10_000,
        ..claims()
    });
    manual.advance(Duration::from_secs(600));
    assert!(
        verifier.verify(&token).is_ok(),
        "ten minutes without auth change nothing"
    );
    assert_eq!(verifier.keys_age(), Some(Duration::from_secs(600)));
    manual.advance(Duration::from_secs(1));
    assert_eq!(reason(&verifier, &token), "KEYS_TOO_OLD");
    verifier.trust(users.public.clone());
    assert!(verifier.verify(&token).is_ok());
}

#[test]
fn memory_of_tokens_is_bounded() {
    let users = signer("users", 1);
    let (verifier, _) = verifier(
        VerifierConfig {
            cache_size: 4,
            ..VerifierConfig::default()
        },
        &[&users],
    );
    for number in 0..20 {
        let token = users.sign(&Claims {
            jti: format!("token-{number}"),
            ..claims()
        });
        verifier.verify(&token).unwrap();
        let state = verifier.0.state.read();
        assert!(state.recent.len() + state.older.len() <= 4);
    }
}

#[test]
fn a_service_speaks_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _) = Clock::manual(NOW_S * 1_000_000);
    let identity = ServiceIdentity::load_or_create(folder.path(), "risk", &clock, &Chance::seeded(1)).unwrap();
    let verifier = Verifier::new(VerifierConfig::default(), clock);
    verifier.trust_folder(folder.path()).unwrap();
    let principal = verifier.verify_service(&identity.token().unwrap()).unwrap();
    assert_eq!(principal.subject, "risk");
    assert!(principal.is_service());
    assert_eq!(reason(&verifier, &identity.token().unwrap()), "TOKEN_TYPE");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_waited_for_once() {
    let users = signer("users", 1);
    let (clock, manual) = Clock::manual(NOW_S * 1_000_000);
    let verifier = Verifier::new(VerifierConfig::default(), clock);
    let token = users.sign(&claims());
    let fresh = async |verifier: &Verifier| {
        verifier
            .verify_fresh(&token)
            .await
            .map(|principal| principal.subject.clone())
    };
    assert_eq!(
        fresh(&verifier).await.unwrap_err().reason(),
        "TOKEN_KEY_UNKNOWN",
        "nobody fetches keys"
    );
    verifier.expect_keys();
    let early = fresh(&verifier).await.unwrap_err();
    assert_eq!(
        (early.kind(), early.reason()),
        (crate::error::Kind::Unavailable, "KEYS_NOT_READY"),
        "no key has come yet"
    );
    assert_eq!(
        verifier.verify_fresh("no token").await.unwrap_err().reason(),
        "TOKEN_MALFORMED",
        "that does not take keys to see"
    );
    let fetcher = tokio::spawn({
        let (verifier, public) = (verifier.clone(), users.public.clone());
        async move {
            verifier.unknown_key().await;
            verifier.unknown_key().await;
            verifier.replace(Keys {
                keys: vec![public],
                ..Keys::default()
            });
        }
    });
    tokio::task::yield_now().await;
    assert_eq!(fresh(&verifier).await.unwrap(), "ada");
    fetcher.await.unwrap();
    let stranger = signer("users", 3).sign(&claims());
    assert!(
        verifier.verify_fresh(&stranger).await.is_err(),
        "the keys are as new as they get"
    );
    manual.advance(Duration::from_secs(2));
    assert!(
        verifier.verify_service_fresh(&stranger).await.is_err(),
        "the fetch does not come in time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_just_started_is_waited_for_until_its_key_comes() {
    let (users, risk) = (signer("users", 1), signer("risk", 2));
    let (verifier, _) = verifier(VerifierConfig::default(), &[&users]);
    verifier.expect_keys();
    let token = risk.sign(&Claims {
        sub: "risk".to_owned(),
        typ: TokenType::Service,
        ..claims()
    });
    let publish = |keys: &[&Signer]| Keys {
        keys: keys.iter().map(|signer| signer.public.clone()).collect(),
        ..Keys::default()
    };
    let (early, whole) = (publish(&[&users]), publish(&[&users, &risk]));
    let fetcher = tokio::spawn({
        let verifier = verifier.clone();
        async move {
            // The keys are as new as keys get, and so are the next ones; its own is among those after them.
            for keys in [early, whole] {
                verifier.unknown_key().await;
                tokio::time::sleep(FRESH).await;
                verifier.replace(keys);
            }
        }
    });
    let principal = verifier.verify_service_fresh(&token).await.unwrap();
    assert_eq!(principal.subject, "risk");
    fetcher.await.unwrap();
    let begun = tokio::time::Instant::now();
    let stranger = signer("stranger", 3).sign(&Claims {
        typ: TokenType::Service,
        ..claims()
    });
    let refused = verifier.verify_service_fresh(&stranger).await.unwrap_err();
    assert_eq!(refused.reason(), "TOKEN_KEY_UNKNOWN");
    assert_eq!(begun.elapsed(), INTRODUCED, "and no longer");
}
