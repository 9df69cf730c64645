//! What a running component sees of the graph.

use std::{any::Any, marker::PhantomData, path::PathBuf, sync::Arc};

use lang::decode::IntoValue;
use tokio_util::sync::CancellationToken;

use crate::{
    cell::Cell,
    health::{Health, State},
    id::ComponentId,
    services::Services,
};

/// The way from a component to the graph around it. Cheap to clone.
pub struct Context<E> {
    seat: Arc<Seat>,
    exports: PhantomData<fn(E)>,
}

/// The place of one run of one component in the graph. The graph makes it; [`Context`] speaks for it.
pub struct Seat {
    pub(crate) cell: Arc<Cell>,
    pub(crate) data_path: PathBuf,
    pub(crate) services: Services,
    pub(crate) cancel: CancellationToken,
    pub(crate) leaving: CancellationToken,
}

impl<E> Clone for Context<E> {
    fn clone(&self) -> Self {
        Self { seat: Arc::clone(&self.seat), exports: PhantomData }
    }
}

impl<E: IntoValue> Context<E> {
    pub(crate) fn new(seat: Seat) -> Self {
        Self { seat: Arc::new(seat), exports: PhantomData }
    }

    /// A context for a test of a component without a graph: nobody is told of its exports, and the token stops it.
    pub fn detached(id: ComponentId, data_path: PathBuf, services: Services, cancel: CancellationToken) -> Self {
        let leaving = CancellationToken::new();
        Self::new(Seat { cell: Arc::new(Cell::detached(id)), data_path, services, cancel, leaving })
    }

    /// The component's id.
    pub fn id(&self) -> &ComponentId {
        self.seat.cell.id()
    }

    /// A folder for its files, `<storage path>/<id>`. It may not exist yet; the component makes it.
    pub fn data_path(&self) -> PathBuf {
        self.seat.data_path.clone()
    }

    /// Replaces the exports. Whatever refers to them gets new arguments, unless they are the same as before. The
    /// first export also says that the component is built.
    pub fn export(&self, exports: E) {
        self.seat.cell.export(exports.into_value());
    }

    /// Says that the component is built without exporting anything.
    pub fn built(&self) {
        self.seat.cell.built();
    }

    /// The exports as others see them now.
    pub fn exports(&self) -> lang::value::Value {
        self.seat.cell.exports()
    }

    /// Reports how it is doing, until the next report.
    pub fn health(&self, state: State, message: impl Into<String>) {
        self.seat.cell.report(Health::now(state, message));
    }

    /// Waits until the component is to stop.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        self.seat.cancel.clone().cancelled_owned()
    }

    /// The token behind [`Context::cancelled`], for what the component starts.
    pub fn token(&self) -> CancellationToken {
        self.seat.cancel.clone()
    }

    /// Cancelled as soon as the component is no longer in the configuration, and before what takes its place starts. It
    /// goes on until it is cancelled itself: others may still use it.
    pub fn leaving(&self) -> CancellationToken {
        self.seat.leaving.clone()
    }

    /// What the process offers.
    pub fn services(&self) -> &Services {
        &self.seat.services
    }

    /// One thing that the process offers.
    pub fn service<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.seat.services.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::NoExports;

    #[tokio::test]
    async fn a_component_can_be_run_without_a_graph() {
        let (id, cancel) = (ComponentId::new("test.it", Some("a")), CancellationToken::new());
        let services = Services::default().with(Arc::new(7_u8));
        let cx = Context::<NoExports>::detached(id, PathBuf::from("/data/test.it.a"), services, cancel.clone());
        cx.export(NoExports);
        cx.health(State::Unhealthy, "noted, and seen by nobody");
        assert_eq!(cx.exports(), lang::value::Value::object::<&str>([]));
        assert_eq!((cx.service::<u8>().as_deref(), cx.service::<u16>()), (Some(&7), None));
        assert_eq!(cx.data_path(), PathBuf::from("/data/test.it.a"));
        cancel.cancel();
        cx.cancelled().await;
    }
}
