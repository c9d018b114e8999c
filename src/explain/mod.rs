//! What there is to know about each kind of problem: a page for each code.
//!
//! A code enters, its page leaves: what it says, why, a wrong and a right example. The pages are `docs/problems/`,
//! compiled into the program. Nothing is checked here, and nothing printed.

use std::collections::BTreeSet;

use include_dir::{Dir, include_dir};

use crate::compile::CODES;
use crate::syntax::code::ALL;

static PAGES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/docs/problems");

/// What a page says behind the sentence about its code if flows with the problem run all the same.
const WARNING: &str = " A warning.";

/// The page of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// One sentence: what a problem of that code says.
    pub about: &'static str,
    /// Whether a flow with the problem runs all the same.
    pub warning: bool,
    /// All of the page behind its title, as Markdown.
    pub text: &'static str,
}

/// Every code, each with a sentence about it, in the order in which they are documented.
#[must_use]
pub fn codes() -> Vec<(&'static str, &'static str)> {
    let mut seen = BTreeSet::new();
    let all = ALL.iter().chain(CODES).copied();
    all.filter(|(code, _)| seen.insert(*code)).collect()
}

/// The page of a code; `None` if there is no such code.
#[must_use]
pub fn page(code: &str) -> Option<Page> {
    let (code, about) = codes().into_iter().find(|(known, _)| *known == code)?;
    let page = PAGES.get_file(format!("{code}.md"))?.contents_utf8()?;
    let text = page.strip_prefix(&format!("# {code}\n\n"))?;
    Some(Page {
        code,
        about,
        warning: text.lines().next()?.strip_suffix(WARNING) == Some(about),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_page_that_begins_with_what_it_says_and_each_page_has_a_code() {
        let mut pages: BTreeSet<_> = PAGES.files().map(|file| file.path()).collect();
        for (code, about) in codes() {
            let page = page(code).unwrap_or_else(|| {
                panic!(
                    "`{code}` has no page: write docs/problems/{code}.md, with `# {code}` as its title, as the others"
                )
            });
            let first = page.text.lines().next().unwrap();
            assert_eq!(
                first.strip_suffix(WARNING).unwrap_or(first),
                about,
                "{code}"
            );
            pages.remove(std::path::Path::new(&format!("{code}.md")));
        }
        assert!(pages.is_empty(), "pages without a code: {pages:?}");
    }
}
