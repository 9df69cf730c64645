//! Things to call.

use std::{fmt, sync::Arc};

use super::{Value, ValueError};

type Body = dyn Fn(&Call<'_>) -> Result<Value, ValueError> + Send + Sync;

/// A shared function.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    go_type: &'static str,
    body: Box<Body>,
}

/// One call: the function as a value, for messages that point at it, and its arguments.
pub struct Call<'a> {
    /// The function that is called.
    pub callee: &'a Value,
    /// Its arguments, evaluated.
    pub arguments: &'a [Value],
}

impl Call<'_> {
    /// An error of the function as a whole; points at the callee.
    pub fn failed(&self, message: impl Into<String>) -> ValueError {
        ValueError::new(self.callee, message)
    }

    /// Refuses any other number of arguments.
    pub fn expect_arguments(&self, count: usize) -> Result<(), ValueError> {
        let found = self.arguments.len();
        if found == count { Ok(()) } else { Err(self.failed(format!("expected {count} args, got {found}"))) }
    }

    /// Refuses a smaller number of arguments.
    pub fn expect_at_least(&self, count: usize) -> Result<(), ValueError> {
        let found = self.arguments.len();
        if found >= count { Ok(()) } else { Err(self.failed(format!("expected at least {count} args, got {found}"))) }
    }
}

impl Function {
    /// A function whose Go counterpart has the given type; the type is seen where functions are printed.
    pub fn new(
        go_type: &'static str,
        body: impl Fn(&Call<'_>) -> Result<Value, ValueError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { go_type, body: Box::new(body) }))
    }

    /// Calls it.
    pub fn call(&self, arguments: &[Value]) -> Result<Value, ValueError> {
        (self.0.body)(&Call { callee: &Value::Function(self.clone()), arguments })
    }

    /// The type of its Go counterpart.
    pub fn go_type(&self) -> &'static str {
        self.0.go_type
    }

    /// Where it is stored; equal for clones.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function({})", self.0.go_type)
    }
}
