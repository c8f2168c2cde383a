//! The RPCs of `auth`: decode, let the office decide, encode.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh::identity::{Principal, PublicKey};
use mesh::pb::Timestamp;
use mesh::pb::auth::auth_service_server::AuthService;
use mesh::pb::auth::{
    self as wire, ChangePasswordRequest, ChangePasswordResponse, CreateServiceAccountRequest,
    CreateServiceAccountResponse, CreateUserRequest, CreateUserResponse, DeleteServiceAccountRequest,
    DeleteServiceAccountResponse, GetCurrentUserRequest, GetCurrentUserResponse, GetKeysRequest, GetKeysResponse,
    IssueClientTokenRequest, IssueClientTokenResponse, JsonWebKey, ListServiceAccountsRequest,
    ListServiceAccountsResponse, ListUsersRequest, ListUsersResponse, LoginRequest, LoginResponse, LogoutRequest,
    LogoutResponse, RefreshTokenRequest, RefreshTokenResponse, Tokens, UpdateUserRequest, UpdateUserResponse,
};
use mesh::pb::tables::role_permissions;
use mesh::{Error, page};
use tonic::{Request, Response, Status};

use crate::core::Access;
use crate::office::Office;
use crate::sessions::Issued;
use crate::store::{self, ServiceAccount, User};

/// How many items a page has unless the request says otherwise.
const PAGE_SIZE: i32 = 100;

/// The RPCs.
pub(crate) struct AuthGrpc {
    pub(crate) office: Office,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AuthService for AuthGrpc {
    async fn login(&self, request: Request<LoginRequest>) -> Answer<LoginResponse> {
        let LoginRequest { user_name, password } = request.into_inner();
        let (issued, must_change_password) = self.office.login(&user_name, &password).await?;
        Ok(Response::new(LoginResponse {
            tokens: Some(tokens(issued)),
            must_change_password,
        }))
    }

    async fn refresh_token(&self, request: Request<RefreshTokenRequest>) -> Answer<RefreshTokenResponse> {
        let issued = self.office.refresh(&request.into_inner().refresh_token).await?;
        Ok(Response::new(RefreshTokenResponse {
            tokens: Some(tokens(issued)),
        }))
    }

    async fn issue_client_token(&self, request: Request<IssueClientTokenRequest>) -> Answer<IssueClientTokenResponse> {
        // There is one grant type, and the request has it: its field states so.
        let IssueClientTokenRequest {
            grant_type: _,
            client_id,
            client_secret,
        } = request.into_inner();
        let issued = self.office.client_token(&client_id, &client_secret).await?;
        Ok(Response::new(IssueClientTokenResponse {
            access_token: issued.access_token,
            token_type: "Bearer".to_owned(),
            expires_in: issued.expires_in_s,
        }))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Answer<LogoutResponse> {
        self.office.logout(&*caller(&request)?).await?;
        Ok(Response::new(LogoutResponse {}))
    }

    async fn get_current_user(&self, request: Request<GetCurrentUserRequest>) -> Answer<GetCurrentUserResponse> {
        let caller = caller(&request)?;
        let permissions: BTreeSet<&str> = caller
            .roles
            .iter()
            .flat_map(|role| role_permissions(*role).iter().copied())
            .collect();
        let access = Access {
            roles: caller.roles.clone(),
            grants: caller.grants.clone(),
        };
        Ok(Response::new(GetCurrentUserResponse {
            subject: caller.subject.clone(),
            access: Some(encode_access(&access)),
            permissions: permissions.into_iter().map(str::to_owned).collect(),
            expire_time: Some(Timestamp::from_micros(caller.expires_at_micros)),
        }))
    }

    async fn change_password(&self, request: Request<ChangePasswordRequest>) -> Answer<ChangePasswordResponse> {
        let caller = caller(&request)?;
        let ChangePasswordRequest {
            current_password,
            new_password,
        } = request.into_inner();
        let issued = self
            .office
            .change_password(&caller, &current_password, &new_password)
            .await?;
        Ok(Response::new(ChangePasswordResponse {
            tokens: Some(tokens(issued)),
        }))
    }

    async fn get_keys(&self, _: Request<GetKeysRequest>) -> Answer<GetKeysResponse> {
        let published = self.office.published().await?;
        Ok(Response::new(GetKeysResponse {
            keys: published.keys.iter().map(encode_key).collect(),
            revoked_token_ids: published.revoked_token_ids,
            time: Some(Timestamp::from_micros(published.at_micros)),
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Answer<CreateUserResponse> {
        let CreateUserRequest {
            user_name,
            password,
            access,
        } = request.into_inner();
        let user = self
            .office
            .create_user(&user_name, &password, decode_access(access)?)
            .await?;
        Ok(Response::new(CreateUserResponse {
            user: Some(encode_user(&user)),
        }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Answer<ListUsersResponse> {
        let request = request.into_inner();
        let size = page::size(request.page_size, PAGE_SIZE)?;
        let after = page::key(&request.page_token)?.unwrap_or_default();
        let mut users = store::list_users(&self.office.store, &after, beyond(size)).await?;
        let next_page_token = next_page(&mut users, size, |user| &user.name);
        Ok(Response::new(ListUsersResponse {
            users: users.iter().map(encode_user).collect(),
            next_page_token,
        }))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Answer<UpdateUserResponse> {
        let UpdateUserRequest {
            user_name,
            access,
            disabled,
        } = request.into_inner();
        let access = access.map(|access| decode_access(Some(access))).transpose()?;
        let user = self.office.update_user(&user_name, access, disabled).await?;
        Ok(Response::new(UpdateUserResponse {
            user: Some(encode_user(&user)),
        }))
    }

    async fn create_service_account(
        &self,
        request: Request<CreateServiceAccountRequest>,
    ) -> Answer<CreateServiceAccountResponse> {
        let CreateServiceAccountRequest {
            client_id,
            description,
            access,
        } = request.into_inner();
        let access = decode_access(access)?;
        let (account, client_secret) = self
            .office
            .create_service_account(&client_id, &description, access)
            .await?;
        let service_account = Some(encode_service_account(&account));
        Ok(Response::new(CreateServiceAccountResponse {
            service_account,
            client_secret,
        }))
    }

    async fn list_service_accounts(
        &self,
        request: Request<ListServiceAccountsRequest>,
    ) -> Answer<ListServiceAccountsResponse> {
        let request = request.into_inner();
        let size = page::size(request.page_size, PAGE_SIZE)?;
        let after = page::key(&request.page_token)?.unwrap_or_default();
        let mut accounts = store::list_service_accounts(&self.office.store, &after, beyond(size)).await?;
        let next_page_token = next_page(&mut accounts, size, |account| &account.client_id);
        let service_accounts = accounts.iter().map(encode_service_account).collect();
        Ok(Response::new(ListServiceAccountsResponse {
            service_accounts,
            next_page_token,
        }))
    }

    async fn delete_service_account(
        &self,
        request: Request<DeleteServiceAccountRequest>,
    ) -> Answer<DeleteServiceAccountResponse> {
        self.office
            .delete_service_account(&request.into_inner().client_id)
            .await?;
        Ok(Response::new(DeleteServiceAccountResponse {}))
    }
}

fn caller<T>(request: &Request<T>) -> Result<Arc<Principal>, Error> {
    let caller = request.extensions().get::<Arc<Principal>>().cloned();
    caller.ok_or_else(|| Error::unauthenticated("TOKEN_MISSING", "this call needs a token"))
}

/// One more than the page holds tells whether another one follows.
fn beyond(size: usize) -> i64 {
    i64::try_from(size + 1).unwrap_or(i64::MAX)
}

fn next_page<T>(items: &mut Vec<T>, size: usize, key: impl Fn(&T) -> &str) -> String {
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items.last().map(|item| page::token(key(item))).unwrap_or_default()
}

fn tokens(issued: Issued) -> Tokens {
    Tokens {
        access_token: issued.access_token,
        expires_in_s: issued.expires_in_s,
        refresh_token: issued.refresh_token,
    }
}

fn decode_access(access: Option<wire::Access>) -> Result<Access, Error> {
    let access = access.unwrap_or_default();
    Access::parse(&access.roles, &access.accounts)
}

fn encode_access(access: &Access) -> wire::Access {
    wire::Access {
        roles: access.role_names(),
        accounts: access.grants.names(),
    }
}

fn encode_user(user: &User) -> wire::User {
    wire::User {
        user_name: user.name.clone(),
        access: Some(encode_access(&user.access)),
        disabled: user.disabled,
        must_change_password: user.must_change_password,
        create_time: Some(Timestamp::from_micros(user.created_us)),
    }
}

fn encode_service_account(account: &ServiceAccount) -> wire::ServiceAccount {
    wire::ServiceAccount {
        client_id: account.client_id.clone(),
        description: account.description.clone(),
        access: Some(encode_access(&account.access)),
        create_time: Some(Timestamp::from_micros(account.created_us)),
    }
}

fn encode_key(key: &PublicKey) -> JsonWebKey {
    JsonWebKey {
        kid: key.kid().to_owned(),
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        x: key.x(),
        alg: "EdDSA".to_owned(),
        r#use: "sig".to_owned(),
        owner: key.owner().to_owned(),
    }
}
