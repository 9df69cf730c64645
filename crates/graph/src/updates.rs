//! Arguments as a stream of values.

use std::sync::Arc;

use tokio::sync::watch;

/// The arguments of a running component: the current ones at once, then each new version. A version that was
/// replaced before it was looked at is skipped.
pub struct Updates<A> {
    versions: watch::Receiver<Arc<A>>,
    /// The last version that was looked at.
    taken: Option<Arc<A>>,
    handled: Handled<A>,
}

/// The last version that a component has dealt with.
type Handled<A> = watch::Sender<Option<Arc<A>>>;

impl<A> Updates<A> {
    /// Versions and the way to replace them.
    pub(crate) fn new(first: Arc<A>) -> (watch::Sender<Arc<A>>, Self) {
        let (sender, mut versions) = watch::channel(first);
        versions.mark_changed();
        (sender, Self { versions, taken: None, handled: watch::Sender::new(None) })
    }

    /// Arguments for a test of a component without a graph: these, and whatever is sent later.
    pub fn channel(first: A) -> (watch::Sender<Arc<A>>, Self) {
        Self::new(Arc::new(first))
    }

    /// Follows what the component has dealt with.
    pub(crate) fn handled(&self) -> watch::Receiver<Option<Arc<A>>> {
        self.handled.subscribe()
    }

    /// The latest arguments, without waiting. Counts as having seen them.
    pub fn current(&mut self) -> Arc<A> {
        let current = Arc::clone(&self.versions.borrow_and_update());
        self.taken = Some(Arc::clone(&current));
        current
    }

    /// Waits for arguments that were not seen yet; the first call does not wait unless [`Updates::current`] was
    /// called before. `None` when there will be no more: the component is being stopped.
    ///
    /// Whoever calls this has dealt with the arguments that it got before. Safe to drop in a `select!`: nothing is lost.
    pub async fn changed(&mut self) -> Option<Arc<A>> {
        if let Some(taken) = self.taken.take() {
            self.handled.send_replace(Some(taken));
        }
        self.versions.changed().await.ok()?;
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
    async fn a_version_is_handled_when_the_next_is_asked_for() {
        let (sender, mut updates) = Updates::channel(1);
        let handled = updates.handled();
        let last = || handled.borrow().as_deref().copied();
        assert_eq!((*updates.current(), last()), (1, None));
        sender.send_replace(Arc::new(2));
        assert_eq!((updates.changed().await.as_deref(), last()), (Some(&2), Some(1)));
        drop(sender);
        assert_eq!((updates.changed().await, last()), (None, Some(2)));
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
