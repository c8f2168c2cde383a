//! The one binary.

use clap::Parser;
use std::process::ExitCode;
use trademesh::args::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match trademesh::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trademesh::exit::fail(&error),
    }
}
