//! What sub-flows and task kinds are given: the origin of each of their names.
//!
//! What is written where they are used enters, and is read with the names of that place; origins leave. What stands
//! in `env` and `dir` outside of them is read there as well, and gets a name that can be used inside.

use super::{From, Names};
use crate::compile::catalog;
use crate::compile::given;
use crate::compile::layout::Member;
use crate::compile::uses::{Found, Outer, Spot, Use};
use crate::compile::{Binding, Computed, Origin, Template};
use crate::model::{Declared, Span};
use crate::syntax::{Node, NodeValue, Problem, code};

/// How many names are told in a message.
const TOLD: usize = 12;

impl<'a> Names<'a> {
    /// Binds the names of a frame that is opened at `member`, with the names of `from`. `written` are all the names
    /// that are given there, `key` is the place of whatever takes them.
    pub fn open(
        &mut self,
        frame: usize,
        from: From,
        key: Span,
        written: impl Iterator<Item = (&'a str, Span)>,
    ) {
        let layout = self.layout;
        let (name, store) = {
            let frame = layout.frames.at(frame);
            (frame.name, frame.store)
        };
        for (given, span) in written {
            if store.iter().all(|(known, _)| known.value != given) {
                let problem = self.not_taken(frame, given, span);
                self.problems.push(problem);
            }
        }
        let mut args = Vec::with_capacity(store.len());
        for (at, (known, declared)) in store.iter().enumerate() {
            let node = layout.frames.at(frame).given[at];
            let arg = match (node, declared.secret) {
                (Some(node), true) => self.secret_given(name, &known.value, node, from),
                (Some(node), false) => self.given(name, &known.value, declared, node, from),
                (None, true) if declared.from.is_some() => Some(self.own_secret(frame, at, from)),
                (None, _) => match &declared.default {
                    Some(value) => Some(Origin::Literal(value.clone())),
                    None => {
                        self.not_given(name, &known.value, declared, key);
                        None
                    }
                },
            };
            args.push(arg);
        }
        if self.args.len() <= frame {
            self.args.resize(frame + 1, Vec::new());
        }
        self.args[frame] = args;
    }

    fn not_taken(&mut self, frame: usize, given: &str, span: Span) -> Problem {
        let frame = self.layout.frames.at(frame);
        let (name, what, store) = (frame.name, frame.what, frame.store);
        let message = match what {
            "params" => format!("`{name}` has no parameter `{given}`"),
            _ => format!("`{name}` has no `{given}` in its store"),
        };
        let problem = Problem::error(code::UNKNOWN_PARAMETER, span, message);
        let known = || store.iter().map(|(name, _)| name.value.as_str());
        if what == "params"
            && let Some(help) = catalog::beside(given, name)
        {
            return problem.help(help);
        }
        // What is given already is not meant a second time.
        let free = known().zip(&frame.given);
        let free = free.filter_map(|(name, given)| given.is_none().then_some(name));
        match self.suggestions.meant(given, free) {
            Some(meant) => problem.did_you_mean(given, meant),
            None if store.is_empty() => problem.help("it takes nothing"),
            None => {
                let known: Vec<_> = known().take(TOLD).collect();
                problem.help(format!("it has {}", known.join(", ")))
            }
        }
    }

    fn not_given(&mut self, name: &str, missing: &str, declared: &Declared, key: Span) {
        let what = format!("`{name}` misses `{missing}`");
        let hint = match declared.secret {
            true => "the name of a secret",
            false => declared.ty.hint(),
        };
        let help = match &declared.about {
            Some(about) => format!("add `{missing}`, {hint}: {about}"),
            None => format!("add `{missing}`, {hint}"),
        };
        let problem = Problem::error(code::MISSING_PARAMETER, key, what);
        self.problems.push(problem.help(help));
    }

    fn given(
        &mut self,
        name: &str,
        taken: &str,
        declared: &Declared,
        node: &'a Node,
        from: From,
    ) -> Option<Origin> {
        let mut found = Found::default();
        let template = given::read(taken, declared, node, &mut found);
        let uses = std::mem::take(&mut found.uses);
        self.problems.extend(found.problems);
        let late = uses.iter().any(|one| self.is_late(one));
        let needs = self.resolve(uses, from);
        Some(match template? {
            Template::Literal(value) => Origin::Literal(value),
            template => {
                let computed = Computed {
                    name: format!("`{taken}` of `{name}`"),
                    template,
                    needs,
                    declared: Some(declared.clone()),
                };
                self.compute(computed, late)
            }
        })
    }

    /// Whether a name is told only when a task runs.
    fn is_late(&self, one: &Use) -> bool {
        super::ALWAYS.iter().any(|(always, _)| *always == one.name)
    }

    fn compute(&mut self, computed: Computed, late: bool) -> Origin {
        let index =
            u32::try_from(self.computed.len()).expect("there are fewer than values in files");
        let late = late
            || computed.needs.iter().any(|binding| match binding.origin {
                Origin::Computed(inner) => self.late.contains(&inner),
                _ => false,
            });
        if late {
            self.late.insert(index);
        }
        self.computed.push(computed);
        Origin::Computed(index)
    }

    /// A secret is handed on by its name, or a value is kept as one.
    fn secret_given(
        &mut self,
        name: &str,
        taken: &str,
        node: &'a Node,
        from: From,
    ) -> Option<Origin> {
        let mut found = Found::default();
        if let Some(secret) = given::bare_name(node) {
            let uses = vec![Use {
                name: secret,
                field: None,
                span: node.span,
                spot: Spot::Value,
                revert: false,
            }];
            let bound = self.resolve(uses, from);
            return bound.into_iter().next().map(|binding| binding.origin);
        }
        let template = match &node.value {
            NodeValue::Scalar { text, .. } if text.contains("{{") => {
                let any = Declared::of(crate::model::Type::Any);
                given::read(taken, &any, node, &mut found)?
            }
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_) => {
                let what = format!("`{taken}` of `{name}` is a secret, and this is written out");
                let problem = Problem::error(code::SECRET_DEFAULT, node.span, what);
                self.problems.push(problem.help_in(
                    format!(
                        "declare a secret in the store, and write `{taken}: \"{{{{ name }}}}\"`"
                    ),
                    format!("declare a secret in the store, and write `{taken} = name`"),
                ));
                return None;
            }
        };
        self.problems.extend(found.problems);
        let late = found.uses.iter().any(|one| self.is_late(one));
        let needs = self.resolve(found.uses, from);
        let computed = Computed {
            name: format!("`{taken}` of `{name}`"),
            template,
            needs,
            declared: None,
        };
        Some(self.compute(computed, late))
    }

    /// A secret of a sub-flow that says itself where it is read from.
    fn own_secret(&mut self, frame: usize, at: usize, from: From) -> Origin {
        let (name, declared) = &self.layout.frames.at(frame).store[at];
        let opener = match from {
            From::Inside(member) | From::Before(member) | From::Within(member) => {
                self.layout.members[member].path.as_str()
            }
            From::Frame(_) | From::End => "",
        };
        let key = format!("{opener}.{}", name.value);
        if let Some(source) = &declared.from {
            let secret = (source.clone(), declared.clone());
            self.inner_secrets.insert(key.clone(), secret);
        }
        Origin::Secret(key)
    }

    /// Reads what stands in `env` and `dir` around a sub-flow or a task of a kind, with the names of that place.
    pub fn hold(&mut self, index: usize, member: &Member<'a>, from: From) {
        for said in member.surroundings.inside(index).all() {
            let Some(outer) = said.outer().filter(|outer| !self.outer.contains_key(outer)) else {
                continue;
            };
            let mut found = Found::default();
            let Some(text) = said.node.text() else {
                continue;
            };
            let source = crate::compile::template::Source::new(text, said.node.span);
            let template = source.text(Spot::Value, &mut found);
            self.problems.extend(std::mem::take(&mut found.problems));
            let needs = self.resolve(found.uses, from);
            let computed = Computed {
                name: format!("`{}`", crate::compile::expression::shorten(text)),
                template,
                needs,
                declared: None,
            };
            let origin = self.compute(computed, true);
            let binding = Binding {
                // No name of a flow begins so.
                name: format!("_outer{}", self.outer.len()),
                origin,
            };
            self.outer.insert(outer, binding);
        }
    }

    /// What the texts around something inside are called.
    pub fn held(&self, texts: impl Iterator<Item = Outer>) -> Vec<(Outer, Binding)> {
        texts
            .filter_map(|outer| Some((outer, self.outer.get(&outer)?.clone())))
            .collect()
    }

    /// Whether a value is made only when a task runs.
    pub(super) fn is_made_late(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Computed(index) => self.late.contains(index),
            Origin::Input
            | Origin::Secret(_)
            | Origin::Provided { .. }
            | Origin::Retry(_)
            | Origin::List(_)
            | Origin::Literal(_) => false,
        }
    }

    /// Who tells a value, if it is not known before the flow runs.
    pub(super) fn told_by(&self, origin: &Origin) -> Option<&'static str> {
        match origin {
            Origin::Provided { .. } | Origin::List(_) => Some("a task"),
            Origin::Retry(_) => Some("a retry"),
            Origin::Input | Origin::Secret(_) | Origin::Literal(_) => None,
            Origin::Computed(index) => {
                let needs = &self.computed[*index as usize].needs;
                needs
                    .iter()
                    .find_map(|binding| self.told_by(&binding.origin))
            }
        }
    }
}
