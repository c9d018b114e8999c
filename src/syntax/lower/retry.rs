//! `retry`: how many times, or over what, and how long to wait.

use super::keys::{LOOP_HELP, LOOP_HELP_IN_TEXT};
use super::{Lower, entries};
use crate::model::{Duration, Span, Spanned, format_duration};
use crate::syntax::Level;
use crate::syntax::{
    Ambiguity, Node, NodeValue, Problem, RetryDeclaration, Style, TriesDeclaration, ambiguity,
    code, shown,
};

/// What `jitter: true` means.
const DEFAULT_JITTER: f64 = 0.5;

impl Lower<'_> {
    /// What stands under `retry`, whose key is at `key`.
    pub(super) fn retry(&mut self, node: Node, key: Span) -> Option<RetryDeclaration> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(other) => {
                self.no_retry(&other);
                return None;
            }
        };
        let mut times = None;
        let mut for_each = None;
        let mut delay: Option<Spanned<Duration>> = None;
        let mut max_delay: Option<Spanned<Duration>> = None;
        let mut retry = RetryDeclaration {
            tries: TriesDeclaration::Times(1),
            variable: None,
            delay: Duration::ZERO,
            backoff: 1.0,
            max_delay: None,
            jitter: 0.0,
            on: None,
            revert_all: false,
        };
        let mut says_tries = false;
        for (key, node) in self.known(Level::Retry, entries) {
            match key.value.as_str() {
                "times" => {
                    says_tries = true;
                    times = Some((key.span, self.times(node)));
                }
                "for_each" => {
                    says_tries = true;
                    for_each = Some((key.span, self.for_each(node)));
                }
                "as" => {
                    retry.variable = self.name(node, "as");
                    if let Some(name) = &retry.variable {
                        self.check_name(name, "the name of a retry's value");
                    }
                }
                "delay" => delay = self.duration(node, "delay"),
                "backoff" => retry.backoff = self.backoff(node),
                "max_delay" => max_delay = self.duration(node, "max_delay"),
                "jitter" => retry.jitter = self.jitter(node),
                "on" => retry.on = self.expression(node, "on"),
                "revert_all" => retry.revert_all = self.bool(node, "revert_all"),
                other => super::flow::unreachable_key(other),
            }
        }
        if let (Some((first, _)), Some((second, _))) = (&times, &for_each) {
            self.report(
                Problem::error(
                    code::TWO_TRIES,
                    (*second).max(*first),
                    "`times` and `for_each` are two ways to say how often; a retry has one",
                )
                .related((*second).min(*first), "the other one")
                .help("leave `times` out: `for_each` tries each value once, as often as it stands in the list"),
            );
        }
        if !says_tries {
            self.report(
                Problem::error(code::NO_TRIES, key, "this retry does not say how often").help_in(
                    "add `times: 3`, or `for_each: [a, b]` with `as: name`",
                    "add `times = 3`, or `for_each = [\"a\", \"b\"]` with `as = name`",
                ),
            );
        }
        if let Some((place, _)) = &for_each
            && retry.variable.is_none()
            && times.is_none()
        {
            self.report(
                Problem::error(
                    code::AS_MISSING,
                    *place,
                    "no task can use the values of this `for_each`, since they have no name",
                )
                .help_in(
                    "add `as: value`, and use {{ value }} in the tasks",
                    "add `as = value`, and use `value` in the tasks, {{ value }} in texts",
                ),
            );
        }
        if let (Some(least), Some(most)) = (&delay, &max_delay)
            && most.value < least.value
        {
            self.report(
                Problem::error(
                    code::MAX_DELAY_BELOW_DELAY,
                    most.span,
                    format!(
                        "`max_delay` of {} is shorter than `delay` of {}",
                        format_duration(most.value),
                        format_duration(least.value)
                    ),
                )
                .related(least.span, "the first wait")
                .help("`max_delay` is the longest wait that `backoff` may grow to"),
            );
        }
        retry.delay = delay.map_or(Duration::ZERO, |delay| delay.value);
        retry.max_delay = max_delay.map(|delay| delay.value);
        retry.tries = match (times, for_each) {
            (_, Some((_, Some(values)))) => TriesDeclaration::ForEach(values),
            (times, _) => TriesDeclaration::Times(times.and_then(|(_, n)| n).unwrap_or(1)),
        };
        Some(retry)
    }

    fn no_retry(&mut self, node: &Node) {
        let number = node.word().and_then(|text| text.trim().parse::<u32>().ok());
        if let Some(times) = number {
            let help = self.advice("", node.span, &format!("{{ times: {times} }}"));
            self.report(
                Problem::error(
                    code::WRONG_SHAPE,
                    node.span,
                    "`retry` wants a mapping, and this is a number",
                )
                .help(help),
            );
        } else {
            self.wrong_shape(
                node,
                "retry",
                (
                    "a mapping, such as { times: 3, delay: 1s }",
                    "a mapping, such as { times = 3, delay = 1s }",
                ),
            );
        }
    }

    fn times(&mut self, node: Node) -> Option<u32> {
        let below = node.text().and_then(|text| text.trim().parse::<i64>().ok());
        if below.is_some_and(|times| times < 1) && !super::read::is_quoted(&node) {
            self.report(
                Problem::error(
                    code::TIMES_BELOW_ONE,
                    node.span,
                    "`times` counts all executions, the first one too, so it is at least 1",
                )
                .help(self.advice(
                    "for one execution and two more tries",
                    node.span,
                    "3",
                )),
            );
            return None;
        }
        self.number::<u32>(node, "times", "a whole number of at least 1")
            .map(|times| times.value)
    }

    fn for_each(&mut self, node: Node) -> Option<Node> {
        match &node.value {
            NodeValue::List(items) if items.is_empty() => {
                self.report(
                    Problem::error(
                        code::FOR_EACH_EMPTY,
                        node.span,
                        "`for_each` has nothing to try",
                    )
                    .help_in(
                        "write at least one value, such as [a, b]",
                        "write at least one value, such as [\"a\", \"b\"]",
                    ),
                );
                None
            }
            NodeValue::List(items) => {
                for item in items {
                    self.check_ambiguous(item);
                }
                Some(node)
            }
            NodeValue::Scalar { text, .. } => {
                let trimmed = text.trim();
                if trimmed.starts_with("{{") && trimmed.ends_with("}}") {
                    return Some(node);
                }
                let problem = Problem::error(
                    code::FOR_EACH_NO_LIST,
                    node.span,
                    format!("`for_each` wants a list, and `{}` is text", shown(text)),
                );
                let help = if super::name::is_name(trimmed) {
                    let with =
                        |text: &str| self.advice("for the list that a name holds", node.span, text);
                    (with(&format!("\"{{{{ {trimmed} }}}}\"")), with(trimmed))
                } else {
                    (
                        format!("write a list, such as [a, b], or one template; {LOOP_HELP}"),
                        format!(
                            "write a list, such as [\"a\", \"b\"], or a name that holds one; {LOOP_HELP_IN_TEXT}"
                        ),
                    )
                };
                self.report(problem.help_in(help.0, help.1));
                None
            }
            NodeValue::Null | NodeValue::Map(_) => {
                self.wrong_shape(
                    &node,
                    "for_each",
                    ("a list, such as [a, b]", "a list, such as [\"a\", \"b\"]"),
                );
                None
            }
        }
    }

    /// Warns of a value of a list that readers of YAML take for different things; an error if it would not be what
    /// is written.
    pub(super) fn check_ambiguous(&mut self, node: &Node) {
        let NodeValue::Scalar {
            text,
            style: Style::Plain,
        } = &node.value
        else {
            return;
        };
        let Some(why) = ambiguity(text) else {
            return;
        };
        let help = self.advice(
            "quote it if text is meant",
            node.span,
            &format!("\"{text}\""),
        );
        let problem = match why {
            Ambiguity::Lossy => Problem::error(
                code::AMBIGUOUS_TEXT,
                node.span,
                format!("`{text}` without quotes is a number, and is not kept as it is written"),
            ),
            Ambiguity::Bool | Ambiguity::Number => Problem::warning(
                code::AMBIGUOUS_TEXT,
                node.span,
                format!(
                    "`{text}` is text here; other readers of YAML take it for {}",
                    why.taken_for()
                ),
            ),
        };
        self.report(problem.help(help));
    }

    fn backoff(&mut self, node: Node) -> f64 {
        let Some(backoff) = self.number::<f64>(node, "backoff", "a number of at least 1") else {
            return 1.0;
        };
        if backoff.value >= 1.0 && backoff.value.is_finite() {
            return backoff.value;
        }
        let help = self.advice("to double the wait with every try", backoff.span, "2");
        self.report(
            Problem::error(
                code::BACKOFF_BELOW_ONE,
                backoff.span,
                "`backoff` is what the wait is multiplied by, so it is at least 1",
            )
            .help(help),
        );
        1.0
    }

    fn jitter(&mut self, node: Node) -> f64 {
        let quoted = super::read::is_quoted(&node);
        let Some(text) = self.text(node, "jitter") else {
            return 0.0;
        };
        let share = match text.value.as_str() {
            "true" => Some(DEFAULT_JITTER),
            "false" => Some(0.0),
            other => other
                .parse::<f64>()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share)),
        };
        if let Some(share) = share.filter(|_| !quoted) {
            return share;
        }
        self.report(
            Problem::error(
                code::BAD_JITTER,
                text.span,
                format!(
                    "`{}` is no `jitter`: the share of a wait that is random",
                    shown(&text.value)
                ),
            )
            .help("write a number from 0 to 1, or `true` for 0.5"),
        );
        0.0
    }
}
