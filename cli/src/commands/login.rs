//! `trademesh login`.

use crate::args::Login;
use crate::client::{connect, session_of, session_path, unary};
use mesh::error::{Error, Result};
use mesh::pb::auth::LoginRequest;
use mesh::pb::auth::auth_service_client::AuthServiceClient;

/// Logs in and keeps the session.
///
/// # Errors
/// When the password is wrong, or the gateway does not answer.
pub(crate) async fn login(options: &Login) -> Result<()> {
    let path = session_path(&options.client)?;
    let password = password_of(options)?;
    let channel = connect(&options.client.server).await?;
    let request = LoginRequest {
        user_name: options.user.clone(),
        password,
    };
    let answer = AuthServiceClient::new(channel)
        .login(unary(request))
        .await?
        .into_inner();
    session_of(&options.client.server, &options.user, answer.tokens)?.save(&path)?;
    eprintln!(
        "logged in as {}; the session is kept in {}",
        options.user,
        path.display()
    );
    if answer.must_change_password {
        eprintln!("the password must be changed before anything else: POST /v1/auth/password");
    }
    Ok(())
}

fn password_of(options: &Login) -> Result<String> {
    let Some(file) = &options.password_file else {
        return rpassword::prompt_password(format!("password of {}: ", options.user)).map_err(|error| {
            Error::invalid(
                "NO_PASSWORD",
                format!("cannot ask for it ({error}): use --password-file"),
            )
        });
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::invalid("NO_PASSWORD", format!("cannot read {}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
