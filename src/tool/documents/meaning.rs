//! Search by meaning: the texts of a folder, and each question, are told to a provider's model, which makes vectors of them.
//! Whatever keeps a search from that is said in its result, which is then by words alone.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::index::{Hit, Index};
use super::vectors::{Lacking, RANKS_MAX, fused};
use crate::failure::{Class, Failure};
use crate::tool::Opened;
use crate::tool::embedder::{Embedded, Embedder};
use crate::tool::part::outbox::blocking;

/// Texts of one request at most.
const BATCH_TEXTS: usize = 64;

/// The model that makes vectors of a folder's texts.
pub(super) struct Meaning {
    pub(super) model: String,
    pub(super) embedder: Arc<dyn Embedder>,
    /// Bytes of documents that one search tells at most.
    pub(super) bytes_max: usize,
    /// Held by whoever makes vectors, so that nobody pays twice for one.
    pub(super) turn: Mutex<()>,
}

/// What one search has told a provider.
#[derive(Debug, Default)]
pub(super) struct Spent {
    texts: usize,
    bytes: usize,
    tokens: Option<u64>,
}

impl Spent {
    /// As a result has it.
    pub(super) fn told(&self) -> Value {
        json!({ "texts": self.texts, "bytes": self.bytes, "tokens": self.tokens })
    }
}

/// An index that is worked on where it may block.
#[derive(Clone)]
pub(super) struct Shelf(Arc<std::sync::Mutex<Index>>);

impl Shelf {
    pub(super) fn new(index: Index) -> Self {
        Self(Arc::new(std::sync::Mutex::new(index)))
    }

    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Index) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let index = Arc::clone(&self.0);
        blocking(move || work(&mut index.lock().unwrap_or_else(std::sync::PoisonError::into_inner))).await
    }
}

impl Meaning {
    /// The hits by words and by meaning, as one order.
    pub(super) async fn search(
        &self,
        index: &Shelf,
        query: &str,
        most: usize,
        spent: &mut Spent,
    ) -> Result<Vec<Hit>, Failure> {
        self.complete(index, spent).await?;
        let asked = self.ask(vec![query.to_owned()], spent).await?;
        let vector = asked.vectors.into_iter().next().unwrap_or_default();
        let (model, query) = (self.model.clone(), query.to_owned());
        let hits = move |index: &mut Index| {
            let by_meaning = index.nearest(&model, &vector, RANKS_MAX)?;
            let by_words = index.by_words(&query, RANKS_MAX)?;
            index.of_parts(&fused([&by_words, &by_meaning], most))
        };
        index.work(hits).await
    }

    /// Makes the vectors that are not there yet. What is made is kept, whatever becomes of the rest.
    async fn complete(&self, index: &Shelf, spent: &mut Spent) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let model = self.model.clone();
        index.work(move |index| index.keep_vectors_of(&model)).await?;
        loop {
            let some = index.work(|index| index.lacking(BATCH_TEXTS)).await?;
            if some.is_empty() {
                return Ok(());
            }
            let left = self.bytes_max.saturating_sub(spent.bytes);
            // One is told in any case, so that every search comes further.
            let least = usize::from(spent.texts == 0);
            let some = within(some, left, least);
            if some.is_empty() {
                return Err(self.unfinished(index).await?);
            }
            let texts: Vec<String> = some.iter().map(|lacking| lacking.text.clone()).collect();
            let came = self.ask(texts, spent).await?;
            let model = self.model.clone();
            index.work(move |index| index.put_vectors(&model, &some, &came.vectors)).await?;
        }
    }

    async fn unfinished(&self, index: &Shelf) -> Result<Failure, Failure> {
        let (all, have) = index.work(|index| index.embedded()).await?;
        let most = self.bytes_max;
        let why = format!(
            "{have} of {all} texts have a vector: a search tells the model at most {most} bytes (embed_bytes_max), and the next \
             one goes on"
        );
        Ok(Failure::new(Class::Policy, why))
    }

    async fn ask(&self, texts: Vec<String>, spent: &mut Spent) -> Result<Embedded, Failure> {
        let (asked, bytes) = (texts.len(), texts.iter().map(String::len).sum::<usize>());
        let came = self.embedder.embed(&self.model, texts).await?;
        if came.vectors.len() != asked {
            let came = came.vectors.len();
            return Err(Failure::new(Class::Invalid, format!("{asked} vectors were asked for, and {came} came")));
        }
        spent.texts += asked;
        spent.bytes += bytes;
        spent.tokens = came.tokens.map(|tokens| spent.tokens.unwrap_or_default() + tokens).or(spent.tokens);
        Ok(came)
    }

    /// Asks for one vector, and tells how many there are.
    pub(super) async fn open(&self, index: &Shelf) -> Result<Opened, Failure> {
        let came = self.ask(vec!["a word".to_owned()], &mut Spent::default()).await?;
        let (all, have) = index.work(|index| index.embedded()).await?;
        let numbers = came.vectors.first().map_or(0, Vec::len);
        Ok(format!("{} gives vectors of {numbers} numbers, and {have} of {all} texts have one", self.model).into())
    }
}

/// Those that come first and have no more bytes than are left, but for the `least` that there are.
fn within(some: Vec<Lacking>, left: usize, least: usize) -> Vec<Lacking> {
    let mut bytes = 0;
    let mut fits = |(nth, lacking): &(usize, Lacking)| {
        bytes += lacking.text.len();
        bytes <= left || *nth < least
    };
    some.into_iter().enumerate().take_while(|item| fits(item)).map(|(_, lacking)| lacking).collect()
}
