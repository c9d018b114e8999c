//! What the parser does not understand, in the author's words.

use super::builder::{Builder, End};
use super::patch::Patches;
use crate::model::Span;
use crate::syntax::problem::shown;
use crate::syntax::{Problem, code};

/// Says what is wrong at byte `at`, where the parser gave up with `info`.
pub(super) fn explain(builder: &Builder<'_>, at: u32, info: &str) -> End {
    let patches = builder.patches();
    let text = patches.original();
    let at = (at as usize).min(text.len());
    if text[at..].starts_with("{{") {
        return builder.unquoted_template(at);
    }
    if let Some(tab) = indenting_tab(patches, at, info) {
        return End::Trouble(tab);
    }
    if text[at..].starts_with(':')
        && builder.open_bracket().is_none()
        && let Some(end) = second_colon(patches, at)
    {
        return end;
    }
    let here = patches.span(at..next_character(text, at));
    let problem = if info.contains("quoted scalar, found unexpected end")
        || info.contains("quoted scalar, found unexpected document")
        || info.contains("invalid indentation in quoted scalar")
    {
        Problem::error(
            code::UNCLOSED_QUOTE,
            here,
            "a text in quotes begins here and does not end",
        )
        .help("put the closing quote, the same as the opening one, at the end of the text")
    } else if info.contains("trailing content after") {
        Problem::error(
            code::TEXT_AFTER_QUOTE,
            rest_of_value(patches, at),
            "this stands behind the closing quote of a text",
        )
        .help("put the quotes around the whole value, or write quotes that belong to it as \\\" inside double quotes")
    } else if info.contains("escape") || info.contains("hexadecimal") {
        Problem::error(
            code::BAD_ESCAPE,
            here,
            "this backslash in double quotes is followed by something that means nothing",
        )
        .help("write \\\\ for a backslash, or use single quotes, which leave backslashes alone")
    } else if info.contains("unexpected character") {
        Problem::error(
            code::RESERVED_CHARACTER,
            here,
            format!(
                "a value cannot begin with `{}` without quotes",
                shown(first(text, at))
            ),
        )
        .help("put the value in quotes")
    } else if info.contains("unknown anchor") {
        Problem::error(
            code::UNKNOWN_ALIAS,
            rest_of_value(patches, at),
            "this is a YAML alias, and nothing before it has an anchor of that name",
        )
        .help("if a text that begins with `*` is meant, put it in quotes")
    } else if info.contains("did not find expected alphabetic or numeric character") {
        Problem::error(
            code::RESERVED_CHARACTER,
            here,
            "a value cannot begin with `*` or `&` without quotes",
        )
        .help("put the value in quotes")
    } else if info.contains("recursion limit") {
        Problem::error(
            code::NESTING_TOO_DEEP,
            here,
            "lists and mappings are nested too deep here",
        )
        .help("make it flatter")
    } else if info.contains("expected comment or line break") {
        Problem::error(
            code::YAML_SYNTAX,
            rest_of_value(patches, at),
            "the text of a block begins in the line below its `|` or `>`",
        )
        .help(
            "move it into the next line, indented deeper than its key; or leave the `|` or `>` out",
        )
    } else if let Some(open) = builder.open_bracket() {
        unclosed_bracket(patches, open, at)
    } else if info.contains("simple key") {
        missing_colon(patches, at)
    } else if info.contains("unprintable") {
        Problem::error(
            code::CONTROL_CHARACTER,
            here,
            "a control character stands here",
        )
        .help("leave it out")
    } else if info.contains("misplaced bracket") {
        Problem::error(
            code::UNCLOSED_BRACKET,
            here,
            format!("`{}` closes nothing", shown(first(text, at))),
        )
        .help("leave it out, or write the bracket that opens the list or mapping")
    } else if [
        "indentation",
        "indented",
        "expected key",
        "expected <document start>",
        "mapping values",
        "block sequence entries",
        "expected '-' indicator",
    ]
    .iter()
    .any(|word| info.contains(word))
    {
        indentation(patches, at)
    } else {
        Problem::error(
            code::YAML_SYNTAX,
            here,
            format!("this is not YAML: {}", plain_words(info)),
        )
        .help("if it belongs to a text, put the text in quotes")
    };
    End::Trouble(problem)
}

/// A tab in the indentation of the line of `at` or the one before, and the one after if the parser speaks of tabs.
fn indenting_tab(patches: &Patches<'_>, at: usize, info: &str) -> Option<Problem> {
    let text = patches.original();
    let line = patches.line(at);
    let before = patches.line(line.start.saturating_sub(1));
    let after = info
        .contains("tab")
        .then(|| patches.line(line.end.saturating_add(1)));
    [line, before].into_iter().chain(after).find_map(|line| {
        let written = &text[line.clone()];
        let indent = written.len() - written.trim_start_matches([' ', '\t']).len();
        let tab = written[..indent].find('\t')?;
        let tabs = written[tab..indent].len();
        Some(
            Problem::error(
                code::TAB,
                patches.span(line.start + tab..line.start + tab + tabs),
                "this line is indented with a tab; YAML indents with spaces",
            )
            .label("a tab")
            .help("use two spaces for each level"),
        )
    })
}

/// `about: Note: this`: the second colon and those after it are taken as text.
fn second_colon(patches: &Patches<'_>, at: usize) -> Option<End> {
    let text = patches.original();
    let line = patches.line(at);
    let before = &text[line.start..at];
    let key = before.find(": ")?;
    let start =
        line.start + key + 2 + (before[key + 2..].len() - before[key + 2..].trim_start().len());
    let value = start..patches.value(start, at + 1, false).end;
    let problem = Problem::error(
        code::SECOND_COLON,
        patches.span(at..at + 1),
        "a value without quotes cannot have a colon and a space in it: YAML reads a second key",
    )
    .label("the second colon")
    .help(format!("quote it: {}", shown(&patches.quoted(&value))));
    // Every further colon of the value would be the same mistake.
    Some(End::Patch(problem, at..value.end.max(at + 1)))
}

fn unclosed_bracket(patches: &Patches<'_>, open: Span, at: usize) -> Problem {
    let text = patches.original();
    let bracket = first(text, open.start as usize);
    let (what, close) = if bracket == "[" {
        ("list", "]")
    } else {
        ("mapping", "}")
    };
    if at >= text.trim_end().len() {
        return Problem::error(
            code::UNCLOSED_BRACKET,
            open,
            format!("this {what} does not end"),
        )
        .label(format!("opened with `{bracket}`"))
        .help(format!("close it with `{close}`"));
    }
    Problem::error(
        code::UNCLOSED_BRACKET,
        patches.span(at..next_character(text, at)),
        format!("a `,` or `{close}` is missing before this"),
    )
    .related(open, format!("the {what} begins here"))
    .help(format!(
        "put `,` between entries and `{close}` at the end; put a text with commas, brackets or colons in quotes"
    ))
}

/// The parser notices on the line after it that a key had no colon.
fn missing_colon(patches: &Patches<'_>, at: usize) -> Problem {
    let text = patches.original();
    let mut line = patches.line(at);
    while line.start > 0 {
        let before = patches.line(line.start - 1);
        line = before;
        let written = text[line.clone()].trim();
        if !written.is_empty() && !written.starts_with('#') {
            break;
        }
    }
    let written = &text[line.clone()];
    let indent = written.len() - written.trim_start().len();
    let end = line.start + written.trim_end().len();
    Problem::error(
        code::MISSING_COLON,
        patches.span((line.start + indent).min(end)..end),
        "a key is expected here, and this has no colon behind it",
    )
    .help("write `key: value`; a value that belongs to the key above is indented deeper than it")
}

fn indentation(patches: &Patches<'_>, at: usize) -> Problem {
    let text = patches.original();
    let line = patches.line(at);
    let written = &text[line.clone()];
    let indent = written.len() - written.trim_start().len();
    let start = line.start + indent;
    let end = (line.start + written.trim_end().len()).max(start);
    Problem::error(
        code::INDENTATION,
        patches.span(start..end),
        "this line is indented so that it belongs to nothing",
    )
    .help("indent it exactly like the other keys or items that it stands beside")
}

fn rest_of_value(patches: &Patches<'_>, at: usize) -> Span {
    let line = patches.line(at);
    let rest = &patches.original()[at..line.end.max(at)];
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}'))
        .unwrap_or(rest.len());
    patches.span(at..at + end.max(1).min(rest.len()))
}

fn first(text: &str, at: usize) -> &str {
    &text[at..next_character(text, at)]
}

fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(0, char::len_utf8)
}

fn plain_words(info: &str) -> &str {
    info.split_once(", ").map_or(info, |(_, what)| what)
}
