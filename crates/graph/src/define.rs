//! A kind of component as the graph keeps it in a table.

use std::{any::Any, marker::PhantomData, pin::Pin, sync::Arc};

use futures_util::future::BoxFuture;
use lang::{
    decode::{FromBlock as _, IntoValue as _, Schema, decode_body},
    diagnostic::Diagnostic,
    eval::Scope,
    syntax::ast::Body,
    value::Value,
};

use crate::{
    component::{Component, RunError, Stability},
    context::{Context, Seat},
    updates::Updates,
};

/// A [`Component`] behind one object-safe face.
///
/// ```
/// # use pyrope_graph::{Component, Context, NoExports, RunError, Updates};
/// use pyrope_graph::{Define, Definition};
/// # struct Idle;
/// # #[derive(lang::decode::FromBlock)]
/// # struct Arguments {}
/// # impl Component for Idle {
/// #     type Args = Arguments;
/// #     type Exports = NoExports;
/// #     const NAME: &'static str = "demo.idle";
/// #     async fn run(_: Updates<Arguments>, cx: Context<NoExports>) -> Result<(), RunError> { Ok(cx.cancelled().await) }
/// # }
///
/// static COMPONENTS: &[&dyn Definition] = &[&Define::<Idle>::NEW];
/// assert_eq!(COMPONENTS[0].name(), "demo.idle");
/// ```
pub trait Definition: Send + Sync {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// How settled it is.
    fn stability(&self) -> Stability;

    /// Whether its block needs a label.
    fn needs_label(&self) -> bool;

    /// What its block holds.
    fn schema(&self) -> &'static Schema;

    /// What others see of it before its first export: an object with every field there is.
    fn zero_exports(&self) -> Value;

    /// Decodes a block's body.
    fn decode(&self, body: &Body, scope: &Scope) -> Result<Arguments, Vec<Diagnostic>>;

    /// Puts a component into its seat. Nothing runs until the future is polled.
    fn start(&self, arguments: Arguments, seat: Seat) -> Started;
}

/// Decoded arguments whose type only their definition knows.
#[derive(Clone)]
pub struct Arguments(Arc<dyn Any + Send + Sync>);

/// A component that was put into its seat.
pub struct Started {
    /// Gives it new arguments, of the same definition.
    pub(crate) deliver: Box<dyn Fn(Arguments) + Send + Sync>,
    /// Waits until it has dealt with the latest ones.
    pub(crate) settled: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    /// Its run.
    pub(crate) run: Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>,
}

/// The definition of a component.
pub struct Define<C>(PhantomData<fn() -> C>);

impl<C> Define<C> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

impl<C: Component> Definition for Define<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn stability(&self) -> Stability {
        C::STABILITY
    }

    fn needs_label(&self) -> bool {
        C::LABEL
    }

    fn schema(&self) -> &'static Schema {
        C::Args::schema()
    }

    fn zero_exports(&self) -> Value {
        C::Exports::default().into_value()
    }

    fn decode(&self, body: &Body, scope: &Scope) -> Result<Arguments, Vec<Diagnostic>> {
        decode_body::<C::Args>(body, scope).map(|arguments| Arguments(Arc::new(arguments)))
    }

    fn start(&self, arguments: Arguments, seat: Seat) -> Started {
        let (sender, updates) = Updates::new(arguments.of::<C>());
        let (sender, handled) = (Arc::new(sender), updates.handled());
        let latest = Arc::clone(&sender);
        Started {
            deliver: Box::new(move |arguments| {
                sender.send_replace(arguments.of::<C>());
            }),
            settled: Box::new(move || {
                let (latest, mut handled) = (Arc::clone(&latest.borrow()), handled.clone());
                Box::pin(async move {
                    let is_latest =
                        |handled: &Option<Arc<_>>| handled.as_ref().is_some_and(|it| Arc::ptr_eq(it, &latest));
                    // A component that has ended deals with nothing any more.
                    _ = handled.wait_for(is_latest).await;
                })
            }),
            // Also what runs before the component's first await belongs to its task.
            run: Box::pin(async move { C::run(updates, Context::new(seat)).await }),
        }
    }
}

impl Arguments {
    fn of<C: Component>(self) -> Arc<C::Args> {
        self.0.downcast().expect("arguments go to the definition that decoded them")
    }
}
