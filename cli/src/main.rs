//! The one binary.

use std::process::ExitCode;
use trademesh::args::Cli;

/// An order is some hundred small allocations on its way through the services: the system's allocator costs a tenth of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    match trademesh::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trademesh::exit::fail(&error),
    }
}
