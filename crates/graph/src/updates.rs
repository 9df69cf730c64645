//! Arguments as a stream of values.

use std::sync::Arc;

use tokio::sync::watch;

/// The arguments of a running component: the current ones at once, then each new version. A version that was
/// replaced before it was looked at is skipped.
pub struct Updates<A>(watch::Receiver<Arc<A>>);

impl<A> Updates<A> {
    /// Versions and the way to replace them.
    pub(crate) fn new(first: Arc<A>) -> (watch::Sender<Arc<A>>, Self) {
        let (sender, mut receiver) = watch::channel(first);
        receiver.mark_changed();
        (sender, Self(receiver))
    }

    /// Arguments for a test of a component without a graph: these, and whatever is sent later.
    pub fn channel(first: A) -> (watch::Sender<Arc<A>>, Self) {
        Self::new(Arc::new(first))
    }

    /// The latest arguments, without waiting. Counts as having seen them.
    pub fn current(&mut self) -> Arc<A> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Waits for arguments that were not seen yet; the first call does not wait unless [`Updates::current`] was
    /// called before. `None` when there will be no more: the component is being stopped.
    ///
    /// Safe to drop in a `select!`: nothing is lost.
    pub async fn changed(&mut self) -> Option<Arc<A>> {
        self.0.changed().await.ok()?;
        Some(self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_version_comes_at_once_and_only_once() {
        let (sender, mut updates) = Updates::channel(1);
        assert_eq!(updates.changed().await.as_deref(), Some(&1));
        sender.send_replace(Arc::new(2));
        sender.send_replace(Arc::new(3));
        assert_eq!(*updates.current(), 3);
        drop(sender);
        assert_eq!(updates.changed().await, None);
    }

    #[tokio::test]
    async fn a_version_sent_before_the_end_is_still_seen() {
        let (sender, mut updates) = Updates::channel(1);
        assert_eq!(*updates.current(), 1);
        sender.send_replace(Arc::new(2));
        drop(sender);
        assert_eq!(updates.changed().await.as_deref(), Some(&2));
        assert_eq!(updates.changed().await, None);
    }
}
