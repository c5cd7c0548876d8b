//! What an operator asks for is carried out and logged whether or not its client still waits: a
//! handler is dropped where it stands when its connection ends.

use std::sync::Arc;

use tokio::task::JoinError;

use crate::state::State;

/// The work ended by a panic: nobody knows how far it came.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Panicked(#[from] JoinError);

/// Does all of this work, with what it logs at its end, even if whoever asked goes away.
pub(super) async fn to_the_end<T, E, F>(
    state: &Arc<State>,
    work: impl FnOnce(Arc<State>) -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Panicked> + Send + 'static,
{
    let done = tokio::spawn(work(Arc::clone(state))).await;
    done.map_err(|error| E::from(Panicked(error)))?
}
