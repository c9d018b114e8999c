//! What is said about a name that stands for nothing.

use super::Names;
use super::resolve::{ALWAYS, From};
use crate::compile::uses::{Spot, Use};
use crate::syntax::{Problem, code};

impl<'a> Names<'a> {
    pub(super) fn unknown(&mut self, one: &Use, from: From) {
        let layout = self.layout;
        let name = one.name.as_str();
        let always = || ALWAYS.iter().map(|(name, _)| *name);
        let problem = |what: String| Problem::error(code::UNKNOWN_NAME, one.span, what);
        let plain = problem(format!("nothing is called `{name}` here"));
        if always().any(|known| known == name) {
            let problem = problem(format!("`{name}` is not known here, before the task runs"));
            self.problems
                .push(problem.help("names of the store and of tasks can be used here"));
            return;
        }
        if matches!(name, "null" | "nil" | "NULL" | "undefined") {
            let problem = problem(format!("`{name}` is not known here: nothing is `none`"));
            self.problems.push(problem.help("write `none`"));
            return;
        }
        if let Spot::Result(fields) = one.spot {
            let known = || fields.iter().copied().chain(["result"]);
            let problem = match self.suggestions.meant(name, known()) {
                Some(meant) => plain.did_you_mean(name, meant),
                None => plain.help(format!(
                    "`provides` sees the task's result alone: {}",
                    known().collect::<Vec<_>>().join(", ")
                )),
            };
            self.problems.push(problem);
            return;
        }
        if matches!(name, "result" | "failure") {
            let help = "`result` and `failure` are there in `revert`, `failure` in `retry.on` too";
            self.problems.push(plain.help(help));
            return;
        }
        let (body, frame) = match from {
            From::Inside(member) | From::Before(member) | From::Within(member) => {
                (layout.members[member].body, layout.frame_of(member))
            }
            From::Frame(frame) => (0, frame),
            From::End => (0, 0),
        };
        let fields: &[&str] = match one.spot {
            Spot::Check(fields) => fields,
            Spot::Value
            | Spot::Given
            | Spot::Argument
            | Spot::Url
            | Spot::Condition(_)
            | Spot::On
            | Spot::Result(_)
            | Spot::Capability => &[],
        };
        if let (From::Frame(_), Some(provider)) = (from, self.provider_anywhere(name, frame)) {
            let problem = plain
                .related(provider.span, "provided by a task")
                .help("only names of the store are known before the first task");
            self.problems.push(problem);
            return;
        }
        let mut suggestions = std::mem::take(&mut self.suggestions);
        let visible: Box<dyn Iterator<Item = &str>> = match from {
            From::Frame(_) => {
                let store = layout.frames.at(frame).store.iter();
                Box::new(store.map(|(name, _)| name.value.as_str()))
            }
            From::Inside(_) | From::Before(_) | From::Within(_) | From::End => {
                Box::new(self.visible(body))
            }
        };
        let known = visible.chain(fields.iter().copied()).chain(always());
        let meant = suggestions.meant(name, known).map(str::to_owned);
        self.suggestions = suggestions;
        let problem = if let Some(meant) = meant {
            // It is probably used, under a wrong name.
            let _ = self.meaning(
                &Use {
                    name: meant.clone(),
                    ..one.clone()
                },
                from,
            );
            plain.did_you_mean(name, &meant)
        } else if let Some(provider) = self.provider_anywhere(name, frame) {
            let task = &layout.members[provider.task].path;
            let group = layout
                .around(provider.task)
                .map_or("flow", |group| &layout.members[group].path);
            plain
                .related(
                    provider.span,
                    format!("`{task}` provides it, inside of `{group}`"),
                )
                .help_in(
                    format!("add `provides: [{name}]` to `{group}`"),
                    format!("add `provides = [{name}]` to `{group}`"),
                )
        } else if self.find_task(name, body).is_some() {
            plain.help(format!("`{name}` is a task; use a name that it provides"))
        } else if layout.frames.at(frame).what == "params" {
            plain.help("declare it in `params`")
        } else {
            plain.help("declare it in `store`, or let a task provide it")
        };
        self.problems.push(problem);
    }
}
