//! The `callsheet` command.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(filter) = callsheet::config::log_filter() {
        let filter = EnvFilter::new(filter);
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    ExitCode::from(callsheet::cli::main().await as u8)
}
