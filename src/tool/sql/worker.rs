//! Work that may not be interruptible, on a thread that nobody waits for: neither an answer, nor the connection, nor the
//! end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::failure::{Class, Failure};

/// Threads of one connection that may still be at work although nobody waits for them.
const LEFT_MAX: usize = 3;

/// How many threads of a connection are at work.
#[derive(Debug, Clone, Default)]
pub(super) struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    /// Does `work` on a thread of its own. Whoever drops this leaves the thread to itself; it ends when its work does,
    /// or with the process.
    pub(super) async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let one = One(Arc::clone(&self.0));
        if one.0.fetch_add(1, Ordering::SeqCst) >= LEFT_MAX {
            let reason = format!("{LEFT_MAX} queries whose time was up are still being stopped");
            return Err(Failure::new(Class::Transient, reason));
        }
        let (answer, answered) = tokio::sync::oneshot::channel();
        let started = std::thread::Builder::new().name("sql".to_owned()).spawn(move || {
            let came = work();
            drop(one);
            // Nobody may be there any more.
            drop(answer.send(came));
        });
        started.map_err(|why| Failure::new(Class::Transient, format!("no thread for the query: {why}")))?;
        answered.await.unwrap_or_else(|_| Err(Failure::new(Class::Bug, "the query ended badly")))
    }
}

struct One(Arc<AtomicUsize>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
