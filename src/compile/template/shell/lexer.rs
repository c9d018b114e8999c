//! A small lexer of POSIX shell scripts: only what tells in what kind of place a template stands.
//!
//! Follows "Shell Command Language" of POSIX.1-2024 (2.2 quoting, 2.3 token recognition, 2.6 word expansions,
//! 2.7.4 here-documents), and knows what bash, ksh and zsh add where that changes the place of a template. Once it
//! cannot tell where it is, every template that follows is refused.

use super::words::{
    Argument, BEFORE_COMMANDS, COMPARISONS, CaseState, Command, DECLARATIONS, NAMES, NUMBERS,
    Paren, Word,
};
use super::{Decision, Dialect, Raw, Refusal};

/// How deep expansions may stand in each other.
const DEPTH: usize = 60;

/// How often something that begins as arithmetic may turn out to be none.
const RETREATS: usize = 50;

const REWRITE: &str =
    "assign the value to a variable on a line of its own (`value={{ … }}`) and use that here";

/// What becomes of each template of a script.
pub(super) fn decide(raw: &[Raw], dialect: Dialect) -> Vec<Decision> {
    let mut units = Vec::new();
    let mut holes = 0;
    for piece in raw {
        match piece {
            Raw::Text(text) => units.extend(text.chars().map(Unit::Char)),
            Raw::Expression(..) => {
                units.push(Unit::Hole(holes));
                holes += 1;
            }
        }
    }
    let mut lexer = Lexer {
        at: 0,
        end: units.len(),
        units,
        dialect,
        decisions: vec![None; holes],
        documents: Vec::new(),
        lost: None,
        depth: 0,
        retreats: 0,
        integers: false,
    };
    lexer.commands(Until::End);
    if !lexer.documents.is_empty() {
        lexer.lose("a here-document has no text");
    }
    let lost = lexer.lost;
    lexer
        .decisions
        .into_iter()
        .map(|decision| match (decision, lost) {
            (Some(Decision::Refused(refusal)), _) => Decision::Refused(refusal),
            (_, Some(why)) => Decision::Refused(Refusal::Unclear(why, REWRITE)),
            (Some(decision), None) => decision,
            (None, None) => Decision::Refused(Refusal::Unclear("it was not reached", REWRITE)),
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Char(char),
    Hole(usize),
}

/// What a run of commands ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Paren,
}

/// What stands around an expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Bare,
    DoubleQuotes,
    Document,
    Arithmetic,
}

/// A here-document whose text is still to come.
#[derive(Debug)]
struct Document {
    delimiter: String,
    strip: bool,
    quoted: bool,
}

struct Lexer {
    units: Vec<Unit>,
    at: usize,
    end: usize,
    dialect: Dialect,
    decisions: Vec<Option<Decision>>,
    documents: Vec<Document>,
    /// Why it can no longer be told what anything is.
    lost: Option<&'static str>,
    depth: usize,
    /// How often something that began as arithmetic was none.
    retreats: usize,
    /// A variable may have the integer attribute: assigning to it evaluates arithmetic.
    integers: bool,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<Unit> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.units[at])
    }

    fn is(&self, ahead: usize, c: char) -> bool {
        self.peek(ahead) == Some(Unit::Char(c))
    }

    fn lose(&mut self, why: &'static str) {
        self.lost.get_or_insert(why);
    }

    fn decide(&mut self, hole: usize, decision: Decision) {
        self.decisions[hole] = Some(decision);
    }

    fn refuse(&mut self, hole: usize, why: &'static str, instead: &'static str) {
        self.decide(hole, Decision::Refused(Refusal::Unclear(why, instead)));
    }

    /// Commands up to the end, or up to the `)` that belongs to an outer `$(`.
    fn commands(&mut self, until: Until) {
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
    fn word_hole(&mut self, hole: usize, word: &mut Word, decision: Decision) {
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
    fn number(&mut self, hole: usize) {
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

    fn comment(&mut self) {
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('\n') => return,
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Comment),
            }
            self.at += 1;
        }
    }

    /// A backslash and what it quotes.
    fn escaped(&mut self) {
        self.at += 1;
        if let Some(Unit::Hole(hole)) = self.peek(0) {
            self.refuse(
                hole,
                "a backslash stands before it",
                "leave the backslash out",
            );
        }
        self.at = (self.at + 1).min(self.end);
    }

    fn newline_in_quotes(&mut self) {
        if !self.documents.is_empty() {
            self.lose("a here-document begins before quotes of several lines");
        }
    }

    fn single_quotes(&mut self) {
        self.at += 1;
        while let Some(unit) = self.peek(0) {
            self.at += 1;
            match unit {
                Unit::Char('\'') => return,
                Unit::Char('\n') => self.newline_in_quotes(),
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Refused(Refusal::SingleQuotes)),
            }
        }
        self.lose("a single quote does not end");
    }

    /// `$'…'`, behind its `$`: escapes in one shell, none in another.
    fn dollar_single_quotes(&mut self) {
        let start = self.at;
        if self.dialect == Dialect::Dash {
            self.single_quotes();
            return;
        }
        self.at += 1;
        let mut escapes = false;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('\'') => {
                    self.at += 1;
                    return;
                }
                Unit::Char('\\') => {
                    escapes |= self.is(1, '\'') || self.is(1, '\\');
                    if escapes && self.dialect == Dialect::Sh {
                        self.lose("where `$'…'` ends differs from shell to shell");
                    }
                    self.at = (self.at + 2).min(self.end);
                    continue;
                }
                Unit::Char('\n') => self.newline_in_quotes(),
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Refused(Refusal::SingleQuotes)),
            }
            self.at += 1;
        }
        self.at = self.at.max(start);
        self.lose("a `$'` does not end");
    }

    /// Whether an index of an array comes next, behind a `$name`: zsh needs no braces for that.
    fn is_index(&self) -> bool {
        self.dialect == Dialect::Extended && self.is(0, '[')
    }

    /// Text in double quotes, behind the first one.
    fn double_quotes(&mut self, word: &mut Word) {
        let mut index = false;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.word_hole(hole, word, Decision::Inside);
                    if index {
                        self.refuse(hole, "it may stand in the index of an array", REWRITE);
                    }
                }
                Unit::Char(']') => {
                    index = false;
                    self.at += 1;
                }
                Unit::Char('"') => {
                    self.at += 1;
                    return;
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => {
                    self.dollar(Around::DoubleQuotes);
                    index |= self.is_index();
                }
                Unit::Char('`') => self.backticks(Around::DoubleQuotes),
                Unit::Char(c) => {
                    if c == '\n' {
                        self.newline_in_quotes();
                    }
                    self.at += 1;
                }
            }
        }
        self.lose("a double quote does not end");
    }

    /// A `$` and what belongs to it.
    fn dollar(&mut self, around: Around) {
        self.at += 1;
        match self.peek(0) {
            Some(Unit::Hole(hole)) => {
                self.decide(hole, Decision::Refused(Refusal::Dollar));
                self.at += 1;
            }
            Some(Unit::Char('(')) => {
                self.at += 1;
                if !(self.is(0, '(') && self.arithmetic()) {
                    self.commands(Until::Paren);
                }
            }
            Some(Unit::Char('{')) => {
                self.at += 1;
                self.braces(around);
            }
            Some(Unit::Char('[')) if self.dialect != Dialect::Dash => {
                let close = (0..)
                    .map_while(|i| Some((i, self.peek(i)?)))
                    .find(|(_, unit)| *unit == Unit::Char(']'));
                for ahead in 0..close.map_or(0, |(at, _)| at) {
                    if let Some(Unit::Hole(hole)) = self.peek(ahead) {
                        self.refuse(
                            hole,
                            "`$[…]` is arithmetic in some shells",
                            "write `$((…))`",
                        );
                    }
                }
                self.at += close.map_or(1, |(at, _)| at + 1);
            }
            Some(Unit::Char('\'')) if around == Around::Bare => self.dollar_single_quotes(),
            Some(Unit::Char(c)) if c == '_' || c.is_ascii_alphabetic() => self.name(),
            Some(Unit::Char(c)) if c.is_ascii_digit() || "@*#?-$!".contains(c) => self.at += 1,
            Some(Unit::Char(_)) | None => {}
        }
    }

    fn name(&mut self) {
        while let Some(Unit::Char(c)) = self.peek(0)
            && (c == '_' || c.is_ascii_alphanumeric())
        {
            self.at += 1;
        }
    }

    /// `$((…))`, from its second `(`. If no `))` belongs to it, it is a `$( (…) )`: then nothing has happened.
    fn arithmetic(&mut self) -> bool {
        let start = self.at;
        let (decisions, lost) = (self.decisions.clone(), self.lost);
        let mut parens = 0usize;
        self.at += 1;
        self.depth += 1;
        while let Some(unit) = self.peek(0).filter(|_| self.depth < DEPTH) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.decide(hole, Decision::Number);
                }
                Unit::Char('(') => {
                    parens += 1;
                    self.at += 1;
                }
                Unit::Char(')') if parens > 0 => {
                    parens -= 1;
                    self.at += 1;
                }
                Unit::Char(')') if self.is(1, ')') => {
                    self.at += 2;
                    self.depth -= 1;
                    return true;
                }
                Unit::Char(')') => break,
                Unit::Char('"') => {
                    self.at += 1;
                    let mut word = Word::default();
                    self.double_quotes(&mut word);
                    for hole in word.holes {
                        self.number(hole);
                    }
                }
                Unit::Char('\'') => {
                    self.lose("there are single quotes in `$((…))`");
                    self.at += 1;
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(Around::Arithmetic),
                Unit::Char('`') => self.backticks(Around::Arithmetic),
                Unit::Char(_) => self.at += 1,
            }
        }
        self.depth -= 1;
        self.at = start;
        (self.decisions, self.lost) = (decisions, lost);
        self.retreats += 1;
        if self.retreats > RETREATS {
            self.lose("too many `$((` are not arithmetic");
            self.at = self.end;
        }
        false
    }

    /// `` `…` ``.
    fn backticks(&mut self, around: Around) {
        const INSTEAD: &str = "write `$(…)` instead of backticks";
        let open = self.at;
        let mut close = None;
        let mut clear = around == Around::Bare;
        let mut at = open + 1;
        while at < self.end {
            match self.units[at] {
                Unit::Char('`') => {
                    close = Some(at);
                    break;
                }
                Unit::Char('\\') => {
                    clear = false;
                    at += 1;
                }
                Unit::Char(_) | Unit::Hole(_) => {}
            }
            at += 1;
        }
        let Some(close) = close else {
            self.lose("a backtick does not end");
            self.at = self.end;
            return;
        };
        let outer = self.end;
        self.at = open + 1;
        self.end = close;
        if clear && self.documents.is_empty() {
            self.commands(Until::End);
            if !self.documents.is_empty() {
                self.lose("a here-document begins in backticks");
            }
        } else {
            for at in open + 1..close {
                if let Unit::Hole(hole) = self.units[at] {
                    self.refuse(hole, "it stands in backticks, among quotes", INSTEAD);
                }
            }
        }
        self.end = outer;
        self.at = close + 1;
    }

    /// `${…}`, behind its brace.
    fn braces(&mut self, around: Around) {
        self.depth += 1;
        if self.depth > DEPTH {
            self.lose("expansions stand in each other too deep");
            self.at = self.end;
        }
        if (self.is(0, '#') || self.is(0, '!')) && !self.is(1, '}') {
            self.at += 1;
        }
        match self.peek(0) {
            Some(Unit::Char(c)) if c == '_' || c.is_ascii_alphabetic() => self.name(),
            Some(Unit::Char(c)) if c.is_ascii_digit() => {
                while matches!(self.peek(0), Some(Unit::Char(c)) if c.is_ascii_digit()) {
                    self.at += 1;
                }
            }
            Some(Unit::Char(c)) if "@*#?-$!".contains(c) => self.at += 1,
            _ => {}
        }
        let colon = usize::from(self.is(0, ':'));
        let operand = match self.peek(colon) {
            Some(Unit::Char('-' | '+' | '?')) => Operand::Word,
            Some(Unit::Char('=')) => Operand::Assigned,
            Some(Unit::Char('#' | '%')) if colon == 0 => Operand::Pattern,
            Some(Unit::Char('}')) if colon == 0 => Operand::Word,
            _ => Operand::Unclear,
        };
        if operand != Operand::Unclear && !self.is(0, '}') {
            self.at += colon + 1;
        }
        self.operand(operand, around);
        self.depth -= 1;
    }

    /// What stands behind the operator in `${…}`, up to its brace.
    fn operand(&mut self, operand: Operand, around: Around) {
        let bare = around == Around::Bare;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('}') => {
                    self.at += 1;
                    return;
                }
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.operand_hole(hole, operand, around);
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(around),
                Unit::Char('`') => self.backticks(around),
                Unit::Char('\'') if bare || operand == Operand::Pattern => self.single_quotes(),
                Unit::Char('\'') if operand == Operand::Unclear => {
                    self.lose("there is a quote in `${…}`");
                    self.at += 1;
                }
                Unit::Char('"') if bare || operand == Operand::Pattern => {
                    self.at += 1;
                    let mut word = Word::default();
                    let first = self.at;
                    self.double_quotes(&mut word);
                    if operand == Operand::Unclear
                        || around == Around::Document
                        || (operand == Operand::Assigned && bare)
                    {
                        self.refuse_between(first, self.at);
                    }
                }
                Unit::Char('"') => {
                    // In double quotes, shells differ in whether these end or begin quotes.
                    self.at += 1;
                    let first = self.at;
                    let mut word = Word::default();
                    self.double_quotes(&mut word);
                    self.refuse_between(first, self.at);
                }
                Unit::Char(c) => {
                    if c == '\n' {
                        self.newline_in_quotes();
                    }
                    self.at += 1;
                }
            }
        }
        self.lose("a `${` does not end");
    }

    fn refuse_between(&mut self, first: usize, end: usize) {
        for at in first..end.min(self.units.len()) {
            if let Unit::Hole(hole) = self.units[at] {
                self.refuse(hole, "it stands in quotes in a `${…}`", REWRITE);
            }
        }
    }

    fn operand_hole(&mut self, hole: usize, operand: Operand, around: Around) {
        let decision = match (operand, around) {
            (Operand::Unclear, _) => None,
            (_, Around::Arithmetic) => Some(Decision::Number),
            (Operand::Pattern, Around::Document) => None,
            (Operand::Pattern, Around::Bare | Around::DoubleQuotes) => Some(Decision::Word),
            (Operand::Assigned, Around::Bare) => {
                self.refuse(
                    hole,
                    "the words that `${…=…}` makes of it depend on its value",
                    "put double quotes around the `${…}`",
                );
                return;
            }
            (Operand::Word, Around::Bare) => Some(Decision::Word),
            (Operand::Word | Operand::Assigned, Around::DoubleQuotes | Around::Document) => {
                Some(Decision::Inside)
            }
        };
        match decision {
            Some(decision) => self.decide(hole, decision),
            None => self.refuse(
                hole,
                "it stands in a `${…}` that is more than a default or a pattern",
                REWRITE,
            ),
        }
    }

    /// The delimiter of a here-document, behind its `<<`.
    fn delimiter(&mut self) {
        let strip = self.is(0, '-');
        if strip {
            self.at += 1;
        }
        while self.is(0, ' ') || self.is(0, '\t') {
            self.at += 1;
        }
        let mut document = Document {
            delimiter: String::new(),
            strip,
            quoted: false,
        };
        let mut quote = None;
        while let Some(unit) = self.peek(0) {
            let c = match unit {
                Unit::Hole(hole) => {
                    self.refuse(
                        hole,
                        "it is the delimiter of a here-document",
                        "write the delimiter out",
                    );
                    self.lose("a here-document has a template as its delimiter");
                    self.at += 1;
                    continue;
                }
                Unit::Char(c) => c,
            };
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (None, '\'' | '"') => {
                    document.quoted = true;
                    quote = Some(c);
                }
                (None | Some('"'), '\\') => {
                    document.quoted = true;
                    self.at += 1;
                    match self.peek(0) {
                        Some(Unit::Char(c)) => document.delimiter.push(c),
                        Some(Unit::Hole(_)) | None => continue,
                    }
                }
                (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (_, '$' | '`' | '\n') => {
                    self.lose("the delimiter of a here-document is not a plain word");
                    document.delimiter.push(c);
                }
                (_, c) => document.delimiter.push(c),
            }
            self.at += 1;
        }
        if document.delimiter.is_empty() && !document.quoted {
            self.lose("a here-document has no delimiter");
        }
        self.documents.push(document);
    }

    /// The texts of the here-documents that have begun, from the beginning of a line.
    fn document_texts(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            let start = self.at;
            let Some((text_end, next)) = self.document_end(&document) else {
                self.lose("a here-document does not end");
                self.at = self.end;
                return;
            };
            if document.quoted {
                for at in start..text_end {
                    if let Unit::Hole(hole) = self.units[at] {
                        self.decide(hole, Decision::Refused(Refusal::QuotedHereDocument));
                    }
                }
            } else {
                let outer = self.end;
                self.end = text_end;
                self.document_text();
                self.end = outer;
            }
            self.at = next;
        }
    }

    /// Where the text of a here-document ends, and where the script goes on.
    fn document_end(&mut self, document: &Document) -> Option<(usize, usize)> {
        let mut line = self.at;
        let mut continued = false;
        while line < self.end {
            let newline = (line..self.end).find(|at| self.units[*at] == Unit::Char('\n'));
            let end = newline.unwrap_or(self.end);
            let mut content = &self.units[line..end];
            while document.strip && content.first() == Some(&Unit::Char('\t')) {
                content = &content[1..];
            }
            let is_end = content.len() == document.delimiter.chars().count()
                && content
                    .iter()
                    .zip(document.delimiter.chars())
                    .all(|(unit, c)| *unit == Unit::Char(c));
            let backslashes = content
                .iter()
                .rev()
                .take_while(|unit| **unit == Unit::Char('\\'))
                .count();
            if is_end {
                if continued {
                    self.lose("a backslash stands before the end of a here-document");
                }
                return Some((line, newline.map_or(end, |at| at + 1)));
            }
            continued = !document.quoted && backslashes % 2 == 1;
            line = newline? + 1;
        }
        None
    }

    /// The text of a here-document whose delimiter is not quoted.
    fn document_text(&mut self) {
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.decide(hole, Decision::Inside);
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(Around::Document),
                Unit::Char('`') => self.backticks(Around::Document),
                Unit::Char(_) => self.at += 1,
            }
        }
    }
}

/// What the operand of a `${…}` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Word,
    Assigned,
    Pattern,
    Unclear,
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
