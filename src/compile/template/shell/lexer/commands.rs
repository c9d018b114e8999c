//! Commands: words, operators, parentheses, `case`, redirections.

use super::super::words::{
    Argument, BEFORE_COMMANDS, COMPARISONS, CaseState, Command, DECLARATIONS, NAMES, NUMBERS,
    Paren, Word,
};
use super::{Around, DEPTH, Decision, Dialect, Lexer, REWRITE, Unit, Until};

impl Lexer {
    /// Commands up to the end, or up to the `)` that belongs to an outer `$(`.
    pub(super) fn commands(&mut self, until: Until) {
        self.depth += 1;
        if self.depth > DEPTH {
            self.lose("expansions stand in each other too deep");
            self.at = self.end;
        }
        let outer_documents = !self.documents.is_empty();
        let mut state = State::default();
        while let Some(unit) = self.peek(0) {
            let c = match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.bare_hole(hole, &mut state);
                    continue;
                }
                Unit::Char(c) => c,
            };
            match c {
                ' ' | '\t' => {
                    self.at += 1;
                    self.end_word(&mut state);
                }
                '\n' => {
                    self.at += 1;
                    self.end_word(&mut state);
                    self.end_command(&mut state);
                    if !self.documents.is_empty() {
                        if outer_documents {
                            self.lose(
                                "a here-document begins before an expansion of several lines",
                            );
                        }
                        self.document_texts();
                    }
                }
                ';' => {
                    self.at += 1;
                    self.end_word(&mut state);
                    self.end_command(&mut state);
                    if self.is(0, ';') || self.is(0, '&') {
                        self.at += 1;
                        if self.is(0, '&') {
                            self.at += 1;
                        }
                        if let Some((case, _)) = state.cases.last_mut() {
                            *case = CaseState::PatternStart;
                        }
                    }
                }
                '|' | '&' => {
                    self.at += 1;
                    self.end_word(&mut state);
                    if !state.in_pattern() {
                        self.end_command(&mut state);
                    }
                }
                '(' => self.open_paren(&mut state),
                ')' => {
                    self.end_word(&mut state);
                    if state.in_pattern() {
                        self.at += 1;
                        self.end_command(&mut state);
                        if let Some((case, _)) = state.cases.last_mut() {
                            *case = CaseState::Body;
                        }
                    } else if state.parens.pop().is_some() {
                        self.at += 1;
                        self.end_command(&mut state);
                    } else if until == Until::Paren {
                        break;
                    } else {
                        self.at += 1;
                        self.lose("a `)` has no `(`");
                    }
                }
                '<' | '>' => self.redirection(c, &mut state),
                '#' if !state.word.open => self.comment(),
                '\\' => {
                    let newline = self.is(1, '\n');
                    self.escaped();
                    if !newline {
                        state.word.quote();
                    }
                }
                '\'' => {
                    state.word.quote();
                    self.single_quotes();
                }
                '"' => {
                    state.word.quote();
                    self.at += 1;
                    self.double_quotes(&mut state.word);
                }
                '`' => {
                    state.word.quote();
                    self.backticks(Around::Bare);
                }
                '$' => {
                    state.word.quote();
                    self.dollar(Around::Bare);
                    state.word.subscript |= self.is_index();
                }
                c => {
                    self.at += 1;
                    let first = !state.word.open;
                    state.word.push(c);
                    if c == '[' && first && state.parens.last() == Some(&Paren::Array) {
                        state.word.subscript = true;
                    }
                }
            }
        }
        self.end_word(&mut state);
        self.end_command(&mut state);
        if !state.parens.is_empty() || !state.cases.is_empty() {
            self.lose("a `(` or a `case` does not end");
        }
        if until == Until::Paren {
            if self.is(0, ')') {
                self.at += 1;
            } else {
                self.lose("a `$(` does not end");
            }
            if !outer_documents && !self.documents.is_empty() {
                self.lose("a here-document begins in `$(…)` and has its text outside");
            }
        }
        self.depth -= 1;
    }

    fn bare_hole(&mut self, hole: usize, state: &mut State) {
        state.word.quote();
        if state.parens.contains(&Paren::Unclear) {
            self.refuse(
                hole,
                "`((` is arithmetic in some shells and two subshells in others",
                "write `$((…))` for arithmetic, and `( (` for subshells",
            );
        } else {
            self.word_hole(hole, &mut state.word, Decision::Word);
        }
    }

    /// A template in a word, bare or in double quotes.
    pub(super) fn word_hole(&mut self, hole: usize, word: &mut Word, decision: Decision) {
        if word.subscript && self.dialect != Dialect::Dash {
            self.refuse(hole, "it may stand in the index of an array", REWRITE);
        } else if word.assignment && self.integers {
            self.refuse(
                hole,
                "an integer variable evaluates what is assigned to it",
                "leave out the integer attribute, and write `$((…))`",
            );
        } else {
            word.holes.push(hole);
            self.decide(hole, decision);
        }
    }

    fn end_word(&mut self, state: &mut State) {
        let word = std::mem::take(&mut state.word);
        if !word.open {
            return;
        }
        let plain = (!word.quoted).then_some(word.text.as_str());
        let target = std::mem::take(&mut state.command.redirection);
        if let Some((case, _)) = state.cases.last_mut() {
            match (*case, plain) {
                (CaseState::Subject, _) => *case = CaseState::In,
                (CaseState::In, Some("in")) => *case = CaseState::PatternStart,
                (CaseState::In, _) => self.lose("a `case` has no `in`"),
                (CaseState::PatternStart, Some("esac")) => {
                    state.cases.pop();
                    state.command.name = Some(String::new());
                    return;
                }
                (CaseState::PatternStart, _) => *case = CaseState::Pattern,
                (CaseState::Pattern, _) => {}
                (CaseState::Body, _) => {
                    self.command_word(word, target, state);
                    return;
                }
            }
            return;
        }
        self.command_word(word, target, state);
    }

    fn command_word(&mut self, word: Word, target: bool, state: &mut State) {
        if target || state.parens.last() == Some(&Paren::Array) {
            return;
        }
        let plain = (!word.quoted).then_some(word.text.as_str());
        let Some(name) = &state.command.name else {
            match plain {
                Some("case") => {
                    state.cases.push((CaseState::Subject, state.parens.len()));
                    state.command.name = Some("case".to_owned());
                }
                Some("esac") if state.ends_case() => {
                    state.cases.pop();
                    state.command.name = Some(String::new());
                }
                Some("function") => state.function = true,
                Some(_) if std::mem::take(&mut state.function) => {}
                Some(text) if BEFORE_COMMANDS.contains(&text) => {}
                _ if word.assignment => {}
                Some(text) => {
                    state.comparing |= text == "[[";
                    state.command.name = Some(text.to_owned());
                }
                None => state.command.name = Some(String::new()),
            }
            return;
        };
        let name = name.clone();
        let behind_v = matches!(state.command.words.last(), Some((_, Argument::Variable)));
        for hole in &word.holes {
            if name == "let" {
                self.refuse(
                    *hole,
                    "`let` evaluates its arguments",
                    "write `$((…))` for arithmetic",
                );
            } else if self.dialect != Dialect::Dash
                && (behind_v || NAMES.contains(&name.as_str()) && !word.assignment)
            {
                self.refuse(
                    *hole,
                    "it may be a variable's name, in which some shells evaluate arithmetic",
                    "write the variable's name out",
                );
            } else if NUMBERS.contains(&name.as_str()) {
                self.number(*hole);
            }
        }
        if DECLARATIONS.contains(&name.as_str())
            && (name == "integer" || plain.is_some_and(|t| t.starts_with('-') && t.contains('i')))
        {
            self.integers = true;
        }
        if plain == Some("]]") {
            state.comparing = false;
        }
        let test = state.comparing || matches!(name.as_str(), "[" | "test");
        let argument = match plain {
            Some(text) if test && COMPARISONS.contains(&text) => Argument::Comparison,
            Some("-v") if test || name == "printf" => Argument::Variable,
            Some(_) | None => Argument::Other,
        };
        state.command.words.push((word.holes, argument));
    }

    /// A template that was found to stand where a number must.
    pub(super) fn number(&mut self, hole: usize) {
        self.decisions[hole] = match self.decisions[hole] {
            Some(Decision::Word) => Some(Decision::NumberWord),
            Some(Decision::Inside) => Some(Decision::NumberInside),
            decision => decision,
        };
    }

    fn end_command(&mut self, state: &mut State) {
        let command = std::mem::take(&mut state.command);
        for (index, (_, argument)) in command.words.iter().enumerate() {
            if *argument != Argument::Comparison {
                continue;
            }
            let before = index.checked_sub(1).and_then(|i| command.words.get(i));
            for (holes, _) in before.into_iter().chain(command.words.get(index + 1)) {
                for hole in holes {
                    self.number(*hole);
                }
            }
        }
        if state.comparing {
            // Behind `&&` and `||` in `[[ ]]` stand operands, not commands.
            state.command.name = Some("[[".to_owned());
        }
    }

    fn open_paren(&mut self, state: &mut State) {
        self.at += 1;
        if matches!(state.cases.last(), Some((CaseState::PatternStart, _))) && !state.word.open {
            return;
        }
        if state.in_pattern() {
            // An extended pattern, as in `+(a|b)`: its `)` would be taken for the pattern's end.
            self.lose("a pattern of `case` has parentheses in it");
        }
        let array = state.word.assignment && state.word.text.ends_with('=');
        let double = self.is(0, '(') && !state.word.open && self.dialect != Dialect::Dash;
        if array {
            state.word = Word::default();
            state.parens.push(Paren::Array);
        } else {
            self.end_word(state);
            if !state.comparing {
                self.end_command(state);
            }
            let kind = if double {
                Paren::Unclear
            } else {
                Paren::Commands
            };
            state.parens.push(kind);
        }
    }

    fn redirection(&mut self, c: char, state: &mut State) {
        self.end_word(state);
        self.at += 1;
        if c == '<' && self.is(0, '<') {
            self.at += 1;
            if self.is(0, '<') {
                self.at += 1;
            } else {
                let unclear = [Paren::Unclear, Paren::Array];
                if state.comparing || state.parens.iter().any(|paren| unclear.contains(paren)) {
                    self.lose("`<<` may be a shift or a here-document");
                }
                self.delimiter();
                return;
            }
        } else if self.is(0, '(') {
            // A process substitution: commands up to its `)`.
            return;
        } else if c == '<' && self.is(0, '>') || c == '>' && (self.is(0, '>') || self.is(0, '|')) {
            self.at += 1;
        }
        if self.is(0, '&') {
            self.at += 1;
        }
        state.command.redirection = true;
    }
}

/// Where in the grammar of commands the lexer stands.
#[derive(Debug, Default)]
struct State {
    word: Word,
    command: Command,
    /// The cases that are open, each with how many parentheses were open before it.
    cases: Vec<(CaseState, usize)>,
    parens: Vec<Paren>,
    /// The word `function` was read: its name follows.
    function: bool,
    /// In `[[ ]]`.
    comparing: bool,
}

impl State {
    fn in_pattern(&self) -> bool {
        matches!(
            self.cases.last(),
            Some((CaseState::PatternStart | CaseState::Pattern, parens)) if *parens == self.parens.len()
        )
    }

    fn ends_case(&self) -> bool {
        matches!(
            self.cases.last(),
            Some((CaseState::Body, parens)) if *parens == self.parens.len()
        )
    }
}
