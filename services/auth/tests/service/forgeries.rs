//! Tokens that nobody issued, or that say something else than what was issued: each is refused, with its reason.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mesh::identity::{Claims, PublicKey, USERS, sign};
use mesh::pb::auth::{GetCurrentUserRequest, GetKeysRequest};
use serde_json::{Value, json};

use crate::support::{NEW_PASSWORD, Place, config, reason, with_token};

/// A token that `auth` issued, taken apart.
struct Genuine {
    token: String,
    kid: String,
    /// The public key in its published form and as its bytes.
    public: [Vec<u8>; 2],
    claims: Claims,
}

impl Genuine {
    async fn of_a_viewer(place: &Place) -> Genuine {
        let admin = place.admin().await;
        place.create_user(&admin, "eve", &["viewer"]).await.unwrap();
        let token = place.login("eve", NEW_PASSWORD).await.unwrap().0.access_token;
        let keys = place
            .client()
            .get_keys(GetKeysRequest {})
            .await
            .unwrap()
            .into_inner()
            .keys;
        let key = keys.into_iter().find(|key| key.owner == USERS).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        Genuine {
            token,
            public: [key.x.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&key.x).unwrap()],
            kid: key.kid,
            claims: serde_json::from_slice(&payload).unwrap(),
        }
    }

    /// What a thief would like to be.
    fn as_admin(&self) -> Claims {
        Claims {
            sub: "admin".to_owned(),
            roles: vec!["admin".to_owned()],
            accounts: vec!["*".to_owned()],
            ..self.claims.clone()
        }
    }

    fn parts(&self) -> [&str; 3] {
        let parts: Vec<&str> = self.token.split('.').collect();
        parts.try_into().unwrap()
    }

    /// Any claims under any header, with the genuine token's signature.
    fn with_its_signature(&self, header: &Value, claims: &Claims) -> String {
        format!("{}.{}.{}", part(header), part(claims), self.parts()[2])
    }

    fn header(&self, alg: &str) -> Value {
        json!({ "typ": "JWT", "alg": alg, "kid": self.kid })
    }
}

fn part(content: &impl serde::Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(content).unwrap())
}

fn own_key(seed: u8) -> (EncodingKey, PublicKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::new(USERS, key.verifying_key().to_bytes()).unwrap();
    (EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes()), public)
}

async fn refusal(place: &Place, token: &str) -> String {
    let request = with_token(GetCurrentUserRequest {}, token);
    let status = place.client().get_current_user(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated, "{token}");
    reason(status)
}

#[tokio::test]
async fn the_genuine_token_is_taken_and_every_edit_of_it_refused() {
    let place = Place::open(mesh::store::testing::sqlite(), config()).await;
    let genuine = Genuine::of_a_viewer(&place).await;
    let request = with_token(GetCurrentUserRequest {}, &genuine.token);
    assert_eq!(
        place
            .client()
            .get_current_user(request)
            .await
            .unwrap()
            .into_inner()
            .subject,
        "eve"
    );

    let [header, payload, signature] = genuine.parts();
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[0] ^= 1;
    let later = Claims {
        exp: genuine.claims.exp + 1,
        ..genuine.claims.clone()
    };
    let nobody = json!({ "typ": "JWT", "alg": "EdDSA" });
    let stranger = json!({ "typ": "JWT", "alg": "EdDSA", "kid": "stranger" });
    let table = [
        (
            "other claims",
            genuine.with_its_signature(&genuine.header("EdDSA"), &genuine.as_admin()),
            "TOKEN_INVALID",
        ),
        (
            "a later end",
            genuine.with_its_signature(&genuine.header("EdDSA"), &later),
            "TOKEN_INVALID",
        ),
        (
            "one bit",
            format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(flipped)),
            "TOKEN_INVALID",
        ),
        (
            "half a signature",
            format!("{header}.{payload}.{}", &signature[..43]),
            "TOKEN_INVALID",
        ),
        ("an empty signature", format!("{header}.{payload}."), "TOKEN_INVALID"),
        (
            "no key",
            genuine.with_its_signature(&nobody, &genuine.claims),
            "TOKEN_MALFORMED",
        ),
        (
            "a key that nobody has",
            genuine.with_its_signature(&stranger, &genuine.claims),
            "TOKEN_KEY_UNKNOWN",
        ),
        ("two parts", format!("{header}.{payload}"), "TOKEN_MALFORMED"),
        ("no token", "x".to_owned(), "TOKEN_MALFORMED"),
    ];
    for (what, token, expected) in table {
        assert_eq!(refusal(&place, &token).await, expected, "{what}");
    }
}

/// RFC 8725, section 2.1: the algorithm is the verifier's to choose, never the token's.
#[tokio::test]
async fn a_token_does_not_choose_its_algorithm() {
    let place = Place::open(mesh::store::testing::sqlite(), config()).await;
    let genuine = Genuine::of_a_viewer(&place).await;
    for none in ["none", "None", "NONE", ""] {
        let claims = part(&genuine.as_admin());
        let header = part(&genuine.header(none));
        for token in [
            format!("{header}.{claims}."),
            format!("{header}.{claims}.{}", genuine.parts()[2]),
        ] {
            assert_eq!(refusal(&place, &token).await, "TOKEN_MALFORMED", "{none}");
        }
    }
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let header = Header {
            kid: Some(genuine.kid.clone()),
            ..Header::new(algorithm)
        };
        for public in &genuine.public {
            let token = jsonwebtoken::encode(&header, &genuine.as_admin(), &EncodingKey::from_secret(public)).unwrap();
            assert_eq!(refusal(&place, &token).await, "TOKEN_ALGORITHM", "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn only_the_users_key_signs_access() {
    let place = Place::open(mesh::store::testing::sqlite(), config()).await;
    let genuine = Genuine::of_a_viewer(&place).await;
    let (private, public) = own_key(7);
    let under_its_name = sign(&genuine.as_admin(), &private, &genuine.kid).unwrap();
    assert_eq!(refusal(&place, &under_its_name).await, "TOKEN_INVALID");
    let under_its_own = sign(&genuine.as_admin(), &private, public.kid()).unwrap();
    assert_eq!(refusal(&place, &under_its_own).await, "TOKEN_KEY_UNKNOWN");
    let service = place.service("risk").token().unwrap();
    assert_eq!(refusal(&place, &service).await, "TOKEN_TYPE");
}
