//! The values of names: what comes from where, and what is made of it.
//!
//! Bindings and the values of what they rest on enter; the values of the names leave. What rests on a task or a retry
//! is told by whoever runs the plan.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::names::ALWAYS;
use super::{Binding, ExpressionError, Origin, Plan, TemplateError};
use crate::model::Value;

/// A value that others rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf<'p> {
    /// What it is called among the values: a name, or the number of a computed value and a name in it.
    pub key: String,
    /// Its name.
    pub name: &'p str,
    /// Where it comes from: never [`Origin::Computed`].
    pub origin: &'p Origin,
}

impl Plan {
    /// What names rest on. With a value for each, [`Plan::complete`] gives the values of the names.
    #[must_use]
    pub fn leaves<'p>(&'p self, needs: &'p [Binding]) -> Vec<Leaf<'p>> {
        let mut leaves = Vec::with_capacity(needs.len());
        let mut seen = HashSet::new();
        let mut open: Vec<(Option<u32>, &[Binding])> = vec![(None, needs)];
        while let Some((of, needs)) = open.pop() {
            for binding in needs {
                match &binding.origin {
                    Origin::Computed(index) => {
                        if seen.insert(*index) {
                            open.push((Some(*index), &self.computed[*index as usize].needs));
                        }
                    }
                    origin => leaves.push(Leaf {
                        key: key(of, &binding.name),
                        name: &binding.name,
                        origin,
                    }),
                }
            }
        }
        leaves
    }

    /// Adds the values of the names that are made of others. `values` holds those of all [`Plan::leaves`].
    ///
    /// # Errors
    /// A value cannot be made, or is not what it must be.
    pub fn complete(
        &self,
        needs: &[Binding],
        values: &mut IndexMap<String, Value>,
    ) -> Result<(), TemplateError> {
        let mut made = HashMap::new();
        for binding in needs {
            if let Origin::Computed(index) = binding.origin {
                let value = self.make(index, values, &mut made)?;
                values.insert(binding.name.clone(), value);
            }
        }
        Ok(())
    }

    fn make(
        &self,
        index: u32,
        values: &IndexMap<String, Value>,
        made: &mut HashMap<u32, Value>,
    ) -> Result<Value, TemplateError> {
        if let Some(value) = made.get(&index) {
            return Ok(value.clone());
        }
        let computed = &self.computed[index as usize];
        let mut names = IndexMap::new();
        for (always, _) in ALWAYS {
            if let Some(value) = values.get(always) {
                names.insert(always.to_owned(), value.clone());
            }
        }
        for binding in &computed.needs {
            let value = match binding.origin {
                Origin::Computed(inner) => Some(self.make(inner, values, made)?),
                _ => values.get(&key(Some(index), &binding.name)).cloned(),
            };
            names.extend(value.map(|value| (binding.name.clone(), value)));
        }
        let wrong = |error: String| ExpressionError(format!("{}: {error}", computed.name));
        let value = computed
            .template
            .render(&names)
            .map_err(|error| wrong(error.to_string()))?;
        let value = match &computed.declared {
            None => value,
            Some(declared) => declared
                .fit(value)
                .map_err(|error| wrong(error.to_string()))?,
        };
        made.insert(index, value.clone());
        Ok(value)
    }

    /// Whether a value is known before the flow runs.
    #[must_use]
    pub fn is_known(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Input | Origin::Literal(_) => true,
            Origin::Secret(_) | Origin::Provided { .. } | Origin::Retry(_) | Origin::List(_) => {
                false
            }
            Origin::Computed(index) => {
                let needs = &self.computed[*index as usize].needs;
                let leaves = self.leaves(needs);
                leaves.iter().all(|leaf| self.is_known(leaf.origin))
            }
        }
    }

    /// The values of names, as far as they are known before the flow runs.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn known(&self, needs: &[Binding]) -> Result<IndexMap<String, Value>, TemplateError> {
        let known = needs.iter().filter(|one| self.is_known(&one.origin));
        let known: Vec<_> = known.cloned().collect();
        let mut values = IndexMap::new();
        for leaf in self.leaves(&known) {
            let value = match leaf.origin {
                Origin::Input => self.inputs.get(leaf.name).cloned(),
                Origin::Literal(value) => Some(value.clone()),
                Origin::Secret(_)
                | Origin::Provided { .. }
                | Origin::Retry(_)
                | Origin::List(_)
                | Origin::Computed(_) => None,
            };
            values.extend(value.map(|value| (leaf.key, value)));
        }
        self.complete(&known, &mut values)?;
        Ok(values)
    }
}

fn key(of: Option<u32>, name: &str) -> String {
    match of {
        None => name.to_owned(),
        // No name has a dot in it.
        Some(index) => format!("{index}.{name}"),
    }
}
