//! What the storage tests are made of: a disk that records and fails, a workload with its expected states, and images.
//! No test is here; they are in `tests/`.

pub mod disk;
pub mod image;
pub mod random;
mod vfs;
pub mod workload;

/// A folder in memory where the machine has one, since thousands of files are written and synced.
pub fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// How many threads share a long sweep.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(4))
}
