//! "Did you mean": bounded, for a file may hold a hundred thousand wrong names.

use crate::syntax::did_you_mean;

/// How many words may still be compared.
#[derive(Debug)]
pub(crate) struct Suggestions(usize);

impl Default for Suggestions {
    fn default() -> Self {
        Self(300_000)
    }
}

impl Suggestions {
    /// Of these, the one that was probably meant.
    pub fn meant<'a>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let left = &mut self.0;
        did_you_mean(
            word,
            candidates.take_while(|_| {
                *left = left.saturating_sub(1);
                *left > 0
            }),
        )
    }

    /// Whether so much may still be looked at; it then counts as spent.
    pub fn spend(&mut self, looks: usize) -> bool {
        let left = self.0.saturating_sub(looks);
        self.0 = left;
        left > 0
    }
}
