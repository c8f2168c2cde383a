//! What the one binary does: run services, or talk to running ones.

pub mod args;
mod client;
mod commands;
pub mod config;
pub mod exit;
mod output;
pub mod paper;
pub mod platform;
mod private_file;
mod session;
mod show;
pub mod up;

use args::{Cli, Command};
use mesh::error::{Error, Result};

/// Does what the command says.
///
/// # Errors
/// What went wrong; [`exit`] turns it into a line and a code.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Config(options) => show::config(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::with_exit_codes(), "trademesh", &mut std::io::stdout());
            Ok(())
        }
        command => runtime()?.block_on(run_async(command)),
    }
}

/// Does what a command says that needs a runtime; the others do nothing here.
///
/// # Errors
/// As [`run`].
pub async fn run_async(command: Command) -> Result<()> {
    match command {
        Command::Up(options) => up::up(&options).await,
        Command::Serve { services, options } => up::serve(&services, &options).await,
        Command::Status(options) => commands::status(&options).await,
        Command::Login(options) => commands::login(&options).await,
        Command::Order { action } => commands::order(&action).await,
        Command::Orders(options) => commands::orders(&options).await,
        Command::Halt(options) => commands::halt(&options).await,
        Command::Resume(options) => commands::resume(&options).await,
        Command::Halts(options) => commands::halts(&options).await,
        Command::Alerts(options) => commands::alerts(&options).await,
        Command::Positions(options) => commands::positions(&options).await,
        Command::Quote { symbols, client } => commands::quote(&symbols, &client).await,
        Command::Watch(options) => commands::watch(&options).await,
        Command::Bench { what } => commands::bench(&what).await,
        Command::Config(_) | Command::Completions { .. } => Ok(()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("NO_RUNTIME", format!("threads cannot be started: {error}")))
}
