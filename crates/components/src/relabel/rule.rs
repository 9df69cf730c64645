//! A `rule` block.

use lang::{
    decode::{FromBlock, FromText},
    golang::quote::quote,
};

use super::{
    name::{LabelNames, is_template},
    pattern::Pattern,
};

/// One step of relabelling.
#[derive(Clone, Debug, PartialEq, FromBlock)]
#[block(validate = Rule::validate)]
pub struct Rule {
    /// Labels whose values, joined by `separator`, are what the rule looks at. A label that there is not is empty.
    #[attr(optional)]
    pub source_labels: Option<Vec<String>>,
    /// Stands between the values.
    #[attr(default = ";")]
    pub separator: String,
    /// What the value, or with the label actions the name, has to match from end to end.
    #[attr(default_with = Pattern::anything())]
    pub regex: Pattern,
    /// For `hashmod`: what the hash is taken modulo.
    #[attr(optional)]
    pub modulus: u64,
    /// The label that is set or, with the equal actions, compared. With `replace` it may refer to groups of `regex`.
    #[attr(optional)]
    pub target_label: String,
    /// What `replace` sets it to, and what `labelmap` makes of a name. May refer to groups of `regex`.
    #[attr(default = "$1")]
    pub replacement: String,
    /// What to do.
    #[attr(default_with = Some(Action::Replace))]
    pub action: Option<Action>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromText)]
#[text(error = "unrecognized action type {text}")]
pub enum Action {
    /// Sets `target_label` to `replacement` when `regex` matches.
    Replace,
    /// Drops the target unless `regex` matches.
    Keep,
    /// Drops the target when `regex` matches.
    Drop,
    /// Sets `target_label` to a number below `modulus` that depends on the value.
    Hashmod,
    /// Copies labels whose name matches to the name that `replacement` makes of it.
    Labelmap,
    /// Removes labels whose name matches.
    Labeldrop,
    /// Removes labels whose name does not match.
    Labelkeep,
    /// Sets `target_label` to the value in lower case.
    Lowercase,
    /// Sets `target_label` to the value in upper case.
    Uppercase,
    /// Drops the target unless the value is that of `target_label`.
    Keepequal,
    /// Drops the target when the value is that of `target_label`.
    Dropequal,
}

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REPLACEMENT: &str = "$1";

impl Rule {
    fn validate(&mut self) -> Result<(), String> {
        let Some(action) = self.action else {
            return Err("relabel action cannot be empty".to_owned());
        };
        let name = action.as_str();
        if action == Action::Hashmod && self.modulus == 0 {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        if action.sets_or_compares() {
            let target = &self.target_label;
            if target.is_empty() {
                return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
            }
            let template = action == Action::Replace && target.contains('$');
            let legal = if template { is_template(target) } else { LabelNames::Any.allow(target) };
            if !legal {
                return Err(format!("{} is invalid 'target_label' for {name} action", quote(target)));
            }
        }
        let default_replacement = self.replacement == DEFAULT_REPLACEMENT;
        let compares = matches!(action, Action::Keepequal | Action::Dropequal);
        if (compares || matches!(action, Action::Lowercase | Action::Uppercase)) && !default_replacement {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        if action == Action::Labelmap && !is_template(&self.replacement) {
            return Err(format!("{} is invalid 'replacement' for {name} action", quote(&self.replacement)));
        }
        let default_rest = self.modulus == 0 && self.separator == DEFAULT_SEPARATOR && default_replacement;
        let only_regex = self.source_labels.is_none() && self.target_label.is_empty() && default_rest;
        if matches!(action, Action::Labeldrop | Action::Labelkeep) && !only_regex {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        if compares && !(self.regex.is_anything() && default_rest) {
            return Err(format!("{name} action requires only 'source_labels' and 'target_label', and no other fields"));
        }
        Ok(())
    }
}

impl Action {
    fn sets_or_compares(self) -> bool {
        use Action::{Dropequal, Hashmod, Keepequal, Lowercase, Replace, Uppercase};
        matches!(self, Replace | Hashmod | Lowercase | Uppercase | Keepequal | Dropequal)
    }
}
