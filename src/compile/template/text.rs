//! Text with `{{ expression }}` in it, taken apart.
//!
//! Text enters; literal pieces and the texts of expressions leave, with their places. `\{{` stands for a literal
//! `{{`. Nothing is parsed or evaluated here.

use std::ops::Range;

use crate::compile::expression::{outside_strings, unclosed, within};
use crate::compile::uses::{Found, Spot};
use crate::compile::{Expression, Piece, Template};
use crate::model::Span;
use crate::syntax::{Problem, code};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Literal text.
    Text(String),
    /// The text of an expression, and where its template stands in the whole text.
    Expression(String, Range<usize>),
}

/// A template begins at this byte and does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclosed(pub usize);

/// Takes a text apart. Literal pieces are never empty, and never stand next to each other.
pub(crate) fn split(text: &str) -> Result<Vec<Raw>, Unclosed> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find("{{") {
        let open = rest + found;
        if text[..open].ends_with('\\') && open > rest {
            literal.push_str(&text[rest..open - 1]);
            literal.push_str("{{");
            rest = open + 2;
            continue;
        }
        literal.push_str(&text[rest..open]);
        let close = end_of_expression(text, open + 2).ok_or(Unclosed(open))?;
        if !literal.is_empty() {
            pieces.push(Raw::Text(std::mem::take(&mut literal)));
        }
        let expression = text[open + 2..close].trim().to_owned();
        pieces.push(Raw::Expression(expression, open..close + 2));
        rest = close + 2;
    }
    literal.push_str(&text[rest..]);
    if !literal.is_empty() {
        pieces.push(Raw::Text(literal));
    }
    Ok(pieces)
}

/// Where the `}}` stands that ends the expression which begins at `at`: outside of its strings and brackets.
fn end_of_expression(text: &str, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in outside_strings(text, at) {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' if depth == 0 => return text[at + 1..].starts_with('}').then_some(at),
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// A text of the flow with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The text, as the notation's quotes and escapes leave it.
    pub text: &'a str,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl<'a> Source<'a> {
    /// A text and its place.
    pub fn new(text: &'a str, span: Span) -> Self {
        Self { text, span }
    }

    /// The place of a part of the text, as closely as can be told: the whole text's where escapes or the layout of
    /// a block moved its bytes.
    pub fn span_of(&self, range: Range<usize>) -> Span {
        within(self.span, self.text, range)
    }

    /// Takes the text apart; a template that does not end is noted, and the text then counts as empty.
    pub fn split(&self, found: &mut Found) -> Vec<Raw> {
        split(self.text).unwrap_or_else(|Unclosed(at)| {
            if let Some(problem) = self.unbalanced(at) {
                found.wrong(problem);
                return Vec::new();
            }
            let problem = Problem::error(
                code::TEMPLATE_NOT_CLOSED,
                self.span_of(at..self.text.len()),
                "this `{{` has no `}}`",
            );
            found.wrong(problem.help("close it with `}}`, or write `\\{{` for two braces"));
            Vec::new()
        })
    }

    /// What is wrong with a template that begins at a byte, if it is closed but a bracket or a quote in it is not.
    fn unbalanced(&self, at: usize) -> Option<Problem> {
        let inner = self.text.get(at + 2..)?;
        let inner = &inner[..inner.find("}}")?];
        let open = unclosed(inner)?;
        let fault = Expression::read(inner).err()?;
        let at = at + 2 + open;
        Some(fault.at(self.span_of(at..at + 1)))
    }

    /// Reads the expression of one template.
    pub fn expression(
        &self,
        text: &str,
        range: Range<usize>,
        spot: Spot,
        found: &mut Found,
    ) -> Option<Expression> {
        let inner = self
            .text
            .get(range.clone())
            .and_then(|whole| whole.find(text));
        let span = self.span_of(range.clone());
        let read = Expression::read(text).map_err(|fault| {
            let part = match inner {
                Some(at) if !fault.range.is_empty() => {
                    let at = range.start + at;
                    self.span_of(at + fault.range.start..at + fault.range.end)
                }
                Some(_) | None => span,
            };
            let problem = fault.at(part);
            match problem.help {
                Some(_) => problem,
                None => problem.help("for two braces that are text, write `\\{{`"),
            }
        });
        found.used(read, span, spot)
    }

    /// Notes a statement of templates, `{% if x %}`, between the expressions: nothing would carry it out. Whether there
    /// is one: what names it makes is not known then.
    pub fn has_statements(&self, pieces: &[Raw], found: &mut Found) -> bool {
        if !self.text.contains("{%") {
            return false;
        }
        let mut from = 0;
        let expressions = pieces.iter().filter_map(|piece| match piece {
            Raw::Text(_) => None,
            Raw::Expression(_, range) => Some(range.clone()),
        });
        for next in expressions.chain(std::iter::once(self.text.len()..self.text.len())) {
            if let Some((range, word)) = statement(&self.text[from..next.start]) {
                let what = format!("`{{% {word} … %}}` means nothing here");
                let span = self.span_of(from + range.start..from + range.end);
                let problem = Problem::error(code::STATEMENT_IN_TEMPLATE, span, what)
                    .label("a text holds expressions alone: `{{ … }}`");
                found.wrong(problem.help(instead_of(word)));
                return true;
            }
            from = next.end;
        }
        false
    }

    /// Reads the text as pieces.
    fn pieces(&self, spot: Spot, found: &mut Found) -> Vec<Piece> {
        let pieces = self.split(found);
        if self.has_statements(&pieces, found) {
            return Vec::new();
        }
        let pieces = pieces.into_iter();
        let pieces = pieces.filter_map(|piece| match piece {
            Raw::Text(text) => Some(Piece::Text(text)),
            Raw::Expression(text, range) => {
                let expression = self.expression(&text, range, spot, found)?;
                Some(Piece::Expression(expression))
            }
        });
        pieces.collect()
    }

    /// Reads the text as a template that yields text, whatever the values are.
    pub fn text(&self, spot: Spot, found: &mut Found) -> Template {
        let mut pieces = self.pieces(spot, found);
        match pieces.as_mut_slice() {
            [] => Template::Literal("".into()),
            [Piece::Text(text)] => Template::Literal(std::mem::take(text).into()),
            _ => Template::Text(pieces),
        }
    }

    /// Reads the text as a template whose value keeps its type if it is all of the text.
    pub fn value(&self, spot: Spot, found: &mut Found) -> Template {
        match self.text(spot, found) {
            Template::Text(pieces) => match pieces.as_slice() {
                [Piece::Expression(expression)] => Template::Value(expression.clone()),
                _ => Template::Text(pieces),
            },
            literal => literal,
        }
    }
}

/// The words that begin statements of templates, and where they end.
const STATEMENTS: [&str; 27] = [
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "set",
    "endset",
    "block",
    "endblock",
    "include",
    "import",
    "from",
    "extends",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "raw",
    "endraw",
    "with",
    "endwith",
    "do",
    "autoescape",
    "endautoescape",
];

/// The first statement in a text: its place and its word. What only looks a little like one, as `{%s}`, is text.
fn statement(text: &str) -> Option<(Range<usize>, &'static str)> {
    text.match_indices("{%").find_map(|(start, open)| {
        let behind = &text[start + open.len()..];
        let line = behind.lines().next().unwrap_or_default();
        let end = line.find("%}")?;
        let inside = line[..end].trim_start_matches(['-', '+']).trim_start();
        let first = inside.split(|c: char| !c.is_ascii_alphabetic()).next()?;
        let word = STATEMENTS.iter().find(|word| **word == first)?;
        Some((start..start + open.len() + end + 2, *word))
    })
}

/// What is written in the place of a statement.
fn instead_of(word: &str) -> String {
    let way = match word {
        "if" | "elif" | "else" | "endif" => {
            "choose inside of an expression: `{{ a if condition else b }}`"
        }
        "for" | "endfor" => {
            "join a list: `{{ list | join(\" \") }}`; for a task for each value there is `matrix`"
        }
        "set" | "endset" | "with" | "endwith" => "write the value where it is used",
        _ => "write an expression: `{{ … }}`",
    };
    format!(
        "{way}; whole files with `{{% … %}}` are filled in by the kind `template`; for these very characters write `{{{{ \"{{%\" }}}}`"
    )
}

/// Reads code in another language than a shell's, in which no template may stand.
pub(crate) fn read_statement(source: Source<'_>, found: &mut Found) -> Template {
    let mut code = String::new();
    for piece in source.split(found) {
        match piece {
            Raw::Text(text) => code.push_str(&text),
            Raw::Expression(text, range) => found.wrong(
                Problem::error(
                    code::TEMPLATE_IN_SCRIPT,
                    source.span_of(range),
                    format!("`{{{{ {text} }}}}` would become a part of the code"),
                )
                .label("in a statement")
                .help(format!(
                    "write `?` there, and the value among the `values`: `[\"{{{{ {text} }}}}\"]`"
                )),
            ),
        }
    }
    Template::Literal(code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match split(text) {
            Err(Unclosed(at)) => format!("unclosed {at}"),
            Ok(pieces) => pieces
                .into_iter()
                .map(|piece| match piece {
                    Raw::Text(text) => format!("<{text}>"),
                    Raw::Expression(expression, range) => {
                        assert!(text[range.clone()].starts_with("{{"));
                        assert!(text[range].ends_with("}}"));
                        format!("[{expression}]")
                    }
                })
                .collect(),
        }
    }

    #[test]
    fn text_is_taken_apart() {
        for (text, pieces) in [
            ("", ""),
            ("plain }} text", "<plain }} text>"),
            ("{{ x }}", "[x]"),
            ("a{{x}}b{{ y }}", "<a>[x]<b>[y]"),
            ("{{ {'a': {'b': 1}} }}", "[{'a': {'b': 1}}]"),
            ("{{ '}}' ~ \"{{\" }}", "['}}' ~ \"{{\"]"),
            ("{{ \"\\\"}}\" }}!", "[\"\\\"}}\"]<!>"),
            ("'\\{{.Names}}'", "<'{{.Names}}'>"),
            ("\\{{ {{ x }}", "<{{ >[x]"),
            ("\\\\{{ x }}", "<\\{{ x }}>"),
            ("a {{ x", "unclosed 2"),
            ("{{ x }", "unclosed 0"),
            ("{{ 'x }}", "unclosed 0"),
            ("{{{ x }}}", "[{ x }]"),
            ("{{ ü }}ö", "[ü]<ö>"),
        ] {
            assert_eq!(shown(text), pieces, "{text}");
        }
    }

    #[test]
    fn statements_of_templates_are_told_from_what_only_looks_like_them() {
        for (text, word) in [
            ("a {% if x %}b{% endif %}", Some("if")),
            ("{%- for y in x -%}", Some("for")),
            ("{%set a = 1%}", Some("set")),
            ("printf '{%s}' x", None),
            ("{%{http_code}%}", None),
            ("${x%if}", None),
            ("{% if", None),
            ("{%\nif %}", None),
            ("{%iffy%}", None),
            ("date +{%d} %}", None),
        ] {
            assert_eq!(statement(text).map(|(_, word)| word), word, "{text}");
        }
    }

    #[test]
    fn a_part_has_its_own_place_where_that_can_be_told() {
        let span = |start, end| Span {
            file: 0,
            start,
            end,
        };
        assert_eq!(Source::new("abc", span(10, 13)).span_of(1..2), span(11, 12));
        assert_eq!(Source::new("abc", span(10, 15)).span_of(1..2), span(12, 13));
        assert_eq!(Source::new("abc", span(10, 20)).span_of(1..2), span(10, 20));
    }
}
