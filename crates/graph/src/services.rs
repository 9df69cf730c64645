//! What the process offers to every component.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

/// Shared things by their type: the engine, the metrics registry. Filled by the root, cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use pyrope_graph::Services;
///
/// struct Greeting(&'static str);
///
/// let services = Services::default().with(Arc::new(Greeting("hello")));
/// assert_eq!(services.get::<Greeting>().expect("it is there").0, "hello");
/// assert!(services.get::<String>().is_none());
/// ```
#[derive(Clone, Default)]
pub struct Services(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Services {
    /// The same with one more, which replaces an earlier one of the same type.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), service);
        self
    }

    /// The one of a type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.0.get(&TypeId::of::<T>())?).downcast().ok()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Services({})", self.0.len())
    }
}
