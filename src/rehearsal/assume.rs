//! What a rehearsal cannot know, and what it takes for granted instead.
//!
//! A plan enters; a copy leaves in which every value that the scheduler decides by is known beforehand, with the list
//! of what was assumed. Values that depend on inputs alone are evaluated for real, once. Secrets are never read.

use indexmap::IndexMap;

use super::report::{Assumption, Topic};
use crate::compile::{
    AtomKind, Binding, Expression, Origin, Plan, Reference, Retry, RetryTries, Task, Template,
    TemplateError, Wait,
};
use crate::model::{AtomId, Value};

/// How long a sleep takes whose length a result decides.
const SLEEP: &str = "1s";

/// A plan that can be played without results, and what had to be assumed for it.
pub(super) fn assume(plan: &Plan) -> (Plan, Vec<Assumption>) {
    let mut copy = plan.clone();
    let mut reader = Reader {
        plan,
        assumptions: Vec::new(),
    };
    // What sides are given is of no use to a play, and takes time to work out.
    copy.provides.clear();
    for (index, atom) in plan.atoms.iter().enumerate() {
        let scope = &plan.scope(atom.scope).name;
        match (&atom.kind, &mut copy.atoms[index].kind) {
            (AtomKind::Retry(retry), AtomKind::Retry(played)) => {
                **played = reader.retry(scope, retry);
            }
            (AtomKind::Task(task), AtomKind::Task(played)) => {
                **played = reader.task(&atom.name, task);
            }
            (AtomKind::Start, _) => {
                let scope = plan.scope(atom.scope);
                let played = &mut copy.scopes[atom.scope.index()];
                played.when = reader.condition(&scope.name, scope.when.as_ref(), &scope.needs);
            }
            (AtomKind::Retry(_) | AtomKind::Task(_) | AtomKind::End, _) => {}
        }
    }
    (copy, reader.assumptions)
}

struct Reader<'p> {
    plan: &'p Plan,
    assumptions: Vec<Assumption>,
}

/// When the value of an expression is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Before the flow starts.
    Before,
    /// In the play: it depends on which attempt it is.
    InPlay,
    /// Only when tasks have run.
    Never,
}

impl Reader<'_> {
    fn assumed(&mut self, of: &str, topic: Topic, text: &str) {
        self.assumptions.push(Assumption {
            of: of.to_owned(),
            topic,
            text: text.to_owned(),
            place: None,
        });
    }

    fn task(&mut self, name: &str, task: &Task) -> Task {
        let wait = task.wait.as_ref().map(|wait| {
            let Wait::Instant(wait) = wait else {
                return Wait::Person;
            };
            let known = self.known(wait.expressions(), &task.execute.needs);
            Wait::Instant(match known {
                Known::Before => self.constant(wait, &task.execute.needs),
                Known::InPlay => wait.clone(),
                Known::Never => {
                    let text = wait.expressions().first().map_or("", |e| e.text.as_str());
                    self.assumed(name, Topic::Sleep, text);
                    Template::Literal(Value::from(SLEEP))
                }
            })
        });
        let plan = self.plan;
        let mut played = task.clone();
        played.when = self.condition(name, task.when.as_ref(), &task.when_needs);
        played.wait = wait;
        played.execute.needs.retain(|binding| match binding.origin {
            Origin::Retry(_) => true,
            Origin::Input | Origin::Literal(_) | Origin::Computed(_) => {
                task.wait.is_some() && plan.is_known(&binding.origin)
            }
            Origin::Secret(_) | Origin::Provided { .. } | Origin::List(_) => false,
        });
        played.execute.params = Template::Literal(Value::Null);
        played.provides.clear();
        if let Some(reversal) = &mut played.revert {
            reversal.action.needs.clear();
            reversal.action.params = Template::Literal(Value::Null);
            let retry = reversal.retry.take();
            reversal.retry = retry.map(|retry| self.retry(name, &retry));
        }
        played
    }

    /// A condition that must still be evaluated in the play: none if it holds, or is assumed to.
    fn condition(
        &mut self,
        of: &str,
        when: Option<&Expression>,
        needs: &[Binding],
    ) -> Option<Expression> {
        let when = when?;
        match self.known(vec![when], needs) {
            Known::Before => match self
                .names(&when.references(), needs)
                .and_then(|names| when.holds(&names))
            {
                Ok(true) => None,
                // False, or an error that the scheduler is to meet by itself.
                Ok(false) | Err(_) => Some(when.clone()),
            },
            Known::InPlay => Some(when.clone()),
            Known::Never => {
                self.assumed(of, Topic::When, &when.text);
                None
            }
        }
    }

    fn retry(&mut self, of: &str, retry: &Retry) -> Retry {
        let mut played = retry.clone();
        if let RetryTries::ForEach(values) = &retry.tries {
            match self.known(values.expressions(), &retry.needs) {
                Known::Before => {
                    played.tries = RetryTries::ForEach(self.constant(values, &retry.needs));
                }
                Known::InPlay => {}
                Known::Never => {
                    let text = values.expressions().first().map_or("", |e| e.text.as_str());
                    self.assumed(of, Topic::ForEach, text);
                    let values = serde_json::json!(["first", "second"]);
                    played.tries = RetryTries::ForEach(Template::Literal(values));
                }
            }
        }
        if let Some(on) = &retry.on
            && self.known(vec![on], &retry.needs) == Known::Never
        {
            self.assumed(of, Topic::On, &on.text);
            played.on = None;
        }
        if retry.jitter > 0.0 {
            self.assumed(of, Topic::Jitter, "");
            played.jitter = 0.0;
        }
        played
    }

    fn known(&self, expressions: Vec<&Expression>, needs: &[Binding]) -> Known {
        let mut known = Known::Before;
        for reference in expressions
            .iter()
            .flat_map(|expression| expression.references())
        {
            if reference.name == "failure" {
                return Known::Never;
            }
            let Some(binding) = needs.iter().find(|binding| binding.name == reference.name) else {
                continue;
            };
            match binding.origin {
                Origin::Computed(_) | Origin::Input | Origin::Literal(_)
                    if self.plan.is_known(&binding.origin) => {}
                Origin::Retry(controller) if self.is_told(controller) => known = Known::InPlay,
                Origin::Computed(_)
                | Origin::Input
                | Origin::Literal(_)
                | Origin::Secret(_)
                | Origin::Provided { .. }
                | Origin::List(_)
                | Origin::Retry(_) => return Known::Never,
            }
        }
        known
    }

    /// Whether the values that a controller tries are known beforehand.
    fn is_told(&self, controller: AtomId) -> bool {
        let AtomKind::Retry(retry) = &self.plan.atom(controller).kind else {
            return false;
        };
        match &retry.tries {
            RetryTries::Times(_) => true,
            // A controller sees only those around it: this comes to an end.
            RetryTries::ForEach(values) => {
                self.known(values.expressions(), &retry.needs) != Known::Never
            }
        }
    }

    /// A template's value, once and for all; the template itself if it has none, for the scheduler to meet.
    fn constant(&self, template: &Template, needs: &[Binding]) -> Template {
        let expressions = template.expressions();
        let references: Vec<_> = expressions.iter().flat_map(|e| e.references()).collect();
        let names = self.names(&references, needs);
        match names.and_then(|names| template.render(&names)) {
            Ok(value) => Template::Literal(value),
            Err(_) => template.clone(),
        }
    }

    /// The values of the names that are used, all of which are known.
    fn names(
        &self,
        used: &[Reference],
        needs: &[Binding],
    ) -> Result<IndexMap<String, Value>, TemplateError> {
        let needed = needs
            .iter()
            .filter(|one| used.iter().any(|used| used.name == one.name));
        let needed: Vec<_> = needed.cloned().collect();
        self.plan.known(&needed)
    }
}
