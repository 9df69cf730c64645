//! What a profile measures, and its name in queries.

use std::fmt;
use std::sync::Arc;

/// The five names that tell what a profile's values are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileType {
    /// The family, for instance `process_cpu`; the label `__name__`.
    pub name: Arc<str>,
    /// What a value counts, for instance `cpu`.
    pub sample_type: Arc<str>,
    /// The unit of a value, for instance `nanoseconds`.
    pub sample_unit: Arc<str>,
    /// What triggers a sample, for instance `cpu`; may be empty.
    pub period_type: Arc<str>,
    /// The unit of the period, for instance `nanoseconds`; may be empty.
    pub period_unit: Arc<str>,
}

/// A profile type's id that does not have the shape `name:sample_type:sample_unit:period_type:period_unit`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("profile type {0:?} is not of the form name:sample_type:sample_unit:period_type:period_unit")]
pub struct ParseProfileTypeError(pub String);

impl ProfileType {
    /// On-CPU time in nanoseconds, under the given `__name__` (usually `process_cpu`).
    pub fn cpu(name: impl Into<Arc<str>>) -> Self {
        let cpu: Arc<str> = Arc::from("cpu");
        let nanoseconds: Arc<str> = Arc::from("nanoseconds");
        Self {
            name: name.into(),
            sample_type: cpu.clone(),
            sample_unit: nanoseconds.clone(),
            period_type: cpu,
            period_unit: nanoseconds,
        }
    }

    /// The id of queries, for instance `process_cpu:cpu:nanoseconds:cpu:nanoseconds`.
    pub fn id(&self) -> String {
        self.to_string()
    }

    /// Reads an id; a last part `delta` is tolerated. A name may hold colons. Name, sample type and sample unit must not be empty.
    pub fn parse(id: &str) -> Result<Self, ParseProfileTypeError> {
        // From the right: a name may hold colons.
        let five = |id: &str| id.rsplitn(5, ':').count() == 5;
        let id_of_five = id.strip_suffix(":delta").filter(|id| five(id)).unwrap_or(id);
        let parts: Vec<&str> = id_of_five.rsplitn(5, ':').collect();
        match parts.as_slice() {
            [period_unit, period_type, sample_unit, sample_type, name]
                if !name.is_empty() && !sample_type.is_empty() && !sample_unit.is_empty() =>
            {
                Ok(Self {
                    name: Arc::from(*name),
                    sample_type: Arc::from(*sample_type),
                    sample_unit: Arc::from(*sample_unit),
                    period_type: Arc::from(*period_type),
                    period_unit: Arc::from(*period_unit),
                })
            }
            _ => Err(ParseProfileTypeError(id.to_owned())),
        }
    }
}

impl fmt::Display for ProfileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sample_type, sample_unit, period_type, period_unit } = self;
        write!(f, "{name}:{sample_type}:{sample_unit}:{period_type}:{period_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, expect: Option<&str>) {
        assert_eq!(ProfileType::parse(id).ok().map(|parsed| parsed.id()).as_deref(), expect);
    }

    #[test]
    fn the_cpu_type_has_the_id_everyone_uses() {
        assert_eq!(ProfileType::cpu("process_cpu").id(), "process_cpu:cpu:nanoseconds:cpu:nanoseconds");
    }

    #[test]
    fn a_name_may_hold_colons() {
        for name in ["my:name", ":", "a:b:c:d:e:f"] {
            let of_cpu = ProfileType::cpu(name);
            assert_eq!(ProfileType::parse(&of_cpu.id()), Ok(of_cpu));
        }
    }

    #[test]
    fn ids_have_five_parts() {
        let cpu = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";
        check(cpu, Some(cpu));
        check("process_cpu:cpu:nanoseconds:cpu:nanoseconds:delta", Some(cpu));
        check("off_cpu:off_cpu:nanoseconds::", Some("off_cpu:off_cpu:nanoseconds::"));
        check("process_cpu:cpu:nanoseconds:cpu", None);
        check(":cpu:nanoseconds:cpu:nanoseconds", None);
        check("process_cpu", None);
        check("", None);
    }
}
