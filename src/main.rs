//! The `callsheet` command.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(filter) = callsheet::config::log_filter() {
        let filter = EnvFilter::builder().parse(filter).unwrap_or_else(|why| {
            callsheet::cli::paint::say(format!("CALLSHEET_LOG is not understood: {why}"));
            EnvFilter::default()
        });
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        let log = log.with_writer(|| callsheet::cli::paint::Log);
        if callsheet::config::log_is_json() { log.json().init() } else { log.init() }
    }
    ExitCode::from(callsheet::cli::main().await as u8)
}
