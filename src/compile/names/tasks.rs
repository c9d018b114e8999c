//! What comes before what by the names of tasks: `needs`, and lists.

use super::{Link, Names, Why};
use crate::model::{Span, Spanned};
use crate::syntax::{Problem, code};

impl<'a> Names<'a> {
    /// The task or group of a name that can be seen in a body, from the inside out, and the body that it stands in.
    pub(super) fn find_task(&self, name: &str, body: usize) -> Option<(usize, usize)> {
        let mut body = body;
        loop {
            if let Some(&member) = self.layout.bodies[body].by_name.get(name) {
                return Some((member, body));
            }
            (_, body) = self.layout.outside(body)?;
        }
    }

    /// Looks up what a task or a group `needs`.
    pub fn needs(&mut self, member: usize, needs: &[Spanned<String>]) {
        let layout = self.layout;
        for need in needs {
            let own = &layout.members[member];
            let Some((found, body)) = self.find_task(&need.value, own.body) else {
                let problem = self.unknown_task(member, need);
                self.problems.push(problem);
                continue;
            };
            let mut to = member;
            while layout.members[to].body != body {
                let Some(group) = layout.around(to) else {
                    break;
                };
                to = group;
            }
            if to == found {
                let what = match to == member {
                    true => format!("`{}` needs itself", own.path),
                    false => format!("`{}` needs `{}`, which it stands in", own.path, need.value),
                };
                let problem = Problem::error(code::NEEDS_ITSELF, need.span, what);
                self.problems.push(problem.help("leave it out"));
                continue;
            }
            self.links.push(Link {
                from: found,
                to,
                consumer: member,
                name: None,
                span: need.span,
                why: Why::Needs,
            });
        }
    }

    fn unknown_task(&mut self, member: usize, need: &Spanned<String>) -> Problem {
        let layout = self.layout;
        let name = need.value.as_str();
        let problem = Problem::error(
            code::UNKNOWN_TASK,
            need.span,
            format!("there is no task `{name}` here"),
        );
        let mut body = Some(layout.members[member].body);
        let bodies = std::iter::from_fn(|| {
            let this = body?;
            body = layout.outside(this).map(|(_, outer)| outer);
            Some(this)
        });
        let tasks = bodies.flat_map(|body| &layout.bodies[body].members);
        let tasks = tasks.map(|member| layout.members[*member].declaration.name.value.as_str());
        let mut suggestions = std::mem::take(&mut self.suggestions);
        let meant = suggestions.meant(name, tasks);
        let last = name.rsplit('.').next().unwrap_or(name);
        let inside = suggestions.spend(layout.bodies.len()).then(|| {
            let mut bodies = layout.bodies.iter();
            bodies.find(|body| body.owner.is_some() && body.by_name.contains_key(last))
        });
        self.suggestions = suggestions;
        let group = inside.flatten().and_then(|body| body.owner);
        match (
            meant,
            self.provider_anywhere(name, layout.frame_of(member)),
            group,
        ) {
            (Some(meant), _, _) => problem.did_you_mean(name, meant),
            (None, Some(provider), _) => {
                let task = &layout.members[provider.member].declaration.name.value;
                problem.help_in(
                    format!("`{name}` is a name that `{task}` provides: write `needs: [{task}]`"),
                    format!("`{name}` is a name that `{task}` provides: write `needs = [{task}]`"),
                )
            }
            (None, None, Some(group)) => {
                let group = &layout.members[group].declaration.name.value;
                problem.help_in(
                    format!(
                        "`{last}` stands inside of the group `{group}`: write `needs: [{group}]`"
                    ),
                    format!(
                        "`{last}` stands inside of the group `{group}`: write `needs = [{group}]`"
                    ),
                )
            }
            (None, None, None) => {
                problem.help("`needs` names tasks and groups of the same body, or of one around it")
            }
        }
    }

    /// One member of a list comes before the next.
    pub fn in_turn(&mut self, from: usize, to: usize) {
        let span: Span = self.layout.members[to].declaration.name.span;
        self.links.push(Link {
            from,
            to,
            consumer: to,
            name: None,
            span,
            why: Why::List,
        });
    }
}
