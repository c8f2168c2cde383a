//! The service in a mesh of its own, with a clock that the test moves.

use std::path::PathBuf;
use std::sync::Arc;

use auth::{Argon2Config, Config, NAME, build};
use mesh::Error;
use mesh::app::testing::Bed;
use mesh::channel::Channel;
use mesh::identity::ServiceIdentity;
use mesh::pb::auth::auth_service_client::AuthServiceClient;
use mesh::pb::auth::{Access, CreateUserRequest, LoginRequest, RefreshTokenRequest, Tokens};
use mesh::store::StoreConfig;
use mesh::time::{Chance, Clock, ManualClock};
use tonic::{Request, Status};

pub(crate) const NEW_PASSWORD: &str = "correct horse battery";

pub(crate) struct Place {
    bed: Bed,
    folder: Arc<tempfile::TempDir>,
    pub(crate) manual: ManualClock,
}

/// Options with hashes that cost little.
pub(crate) fn config() -> Config {
    Config {
        require_password_change: false,
        argon2: Argon2Config {
            memory_kib: 8,
            passes: 1,
            ..Argon2Config::default()
        },
        ..Config::default()
    }
}

/// The service on every engine.
pub(crate) async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for store in mesh::store::testing::engines() {
        places.push(Place::open(store, config()).await);
    }
    places
}

impl Place {
    pub(crate) async fn open(store: StoreConfig, config: Config) -> Place {
        Place::in_folder(Arc::new(tempfile::tempdir().unwrap()), store, config).await
    }

    /// The service with a folder in which others leave their keys: see [`Place::service`].
    pub(crate) async fn with_service_keys() -> Place {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let keys_dir = Some(folder.path().to_owned());
        let config = Config { keys_dir, ..config() };
        Place::in_folder(folder, mesh::store::testing::sqlite(), config).await
    }

    /// Another service's identity, whose key everybody in the mesh trusts.
    pub(crate) fn service(&self, name: &str) -> ServiceIdentity {
        self.bed.deps(name).identity
    }

    /// The service after a restart.
    pub(crate) async fn again(&self, store: StoreConfig) -> Place {
        Place::in_folder(self.folder.clone(), store, config()).await
    }

    async fn in_folder(folder: Arc<tempfile::TempDir>, store: StoreConfig, config: Config) -> Place {
        let (clock, manual) = Clock::manual(1_700_000_000_000_000);
        let bed = Bed::new(folder.path(), clock, Chance::from_entropy());
        let mut deps = bed.deps(NAME);
        deps.store = store;
        let service = build(config, deps).await.unwrap();
        bed.register(NAME, service.routes);
        Place { bed, folder, manual }
    }

    pub(crate) fn client(&self) -> AuthServiceClient<Channel> {
        AuthServiceClient::new(self.bed.channels("gateway").to(NAME))
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join(NAME).join("admin-password")
    }

    pub(crate) fn first_password(&self) -> String {
        std::fs::read_to_string(self.password_file()).unwrap().trim().to_owned()
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> Result<(Tokens, bool), Status> {
        let request = LoginRequest {
            user_name: name.to_owned(),
            password: password.to_owned(),
        };
        let answer = self.client().login(request).await?.into_inner();
        Ok((answer.tokens.unwrap(), answer.must_change_password))
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<Tokens, Status> {
        let request = RefreshTokenRequest {
            refresh_token: token.to_owned(),
        };
        Ok(self.client().refresh_token(request).await?.into_inner().tokens.unwrap())
    }

    /// The first user's access token.
    pub(crate) async fn admin(&self) -> String {
        self.login("admin", &self.first_password())
            .await
            .unwrap()
            .0
            .access_token
    }

    pub(crate) async fn create_user(&self, admin: &str, name: &str, roles: &[&str]) -> Result<(), Status> {
        let access = Some(access(roles, &["paper-1"]));
        let request = CreateUserRequest {
            user_name: name.to_owned(),
            password: NEW_PASSWORD.to_owned(),
            access,
        };
        self.client().create_user(with_token(request, admin)).await.map(drop)
    }
}

pub(crate) fn access(roles: &[&str], accounts: &[&str]) -> Access {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Access {
        roles: owned(roles),
        accounts: owned(accounts),
    }
}

pub(crate) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub(crate) fn reason(status: Status) -> String {
    Error::from(status).reason().to_owned()
}
