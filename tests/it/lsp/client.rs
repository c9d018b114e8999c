//! An editor: it speaks the protocol to the real program over pipes.

use std::io::BufReader;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use lsp_server::{Message, Notification, Request, RequestId};
use serde_json::{Value, json};

use crate::cli::Home;

/// How long an answer may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor that has said hello.
pub struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Message>,
    /// What the server said at the beginning.
    pub hello: Value,
    next: i32,
    /// The problems that were told last, by file, with the version that they are of.
    told: Vec<(String, Value, Vec<Value>)>,
    _home: Home,
}

/// The name by which the tests open a file that is not saved anywhere.
pub const YAML: &str = "file:///nowhere/unsaved.flow.yaml";
/// The same, in the text notation.
pub const TEXT: &str = "file:///nowhere/unsaved.flow";

impl Editor {
    /// An editor that counts columns as every editor can.
    pub fn new() -> Self {
        Self::start(Home::new(), &json!({}))
    }

    /// An editor that can do all this, in this home.
    pub fn start(home: Home, capabilities: &Value) -> Self {
        let mut child = home
            .command("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(Some(message)) = Message::read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut editor = Self {
            stdin: child.stdin.take(),
            child,
            messages,
            hello: Value::Null,
            next: 0,
            told: Vec::new(),
            _home: home,
        };
        editor.hello = editor.ask("initialize", json!({ "capabilities": capabilities }));
        editor.say("initialized", json!({}));
        editor
    }

    /// Sends a notification.
    pub fn say(&mut self, method: &str, params: Value) {
        let message = Message::from(Notification::new(method.to_owned(), params));
        message.write(self.stdin.as_mut().unwrap()).unwrap();
    }

    /// Sends a request; what is answered.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap()
    }

    /// Sends a request; what is answered, or why not.
    pub fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.next += 1;
        let id = RequestId::from(self.next);
        let message = Message::from(Request::new(id.clone(), method.to_owned(), params));
        message.write(self.stdin.as_mut().unwrap()).unwrap();
        loop {
            if let Message::Response(response) = self.receive()
                && response.id == id
            {
                let answer = serde_json::to_value(&response).unwrap();
                return match answer.get("error") {
                    Some(error) => Err(error["message"].as_str().unwrap().to_owned()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// Opens a file that holds this, without saving it anywhere.
    pub fn open(&mut self, uri: &str, text: &str) {
        let item = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.say("textDocument/didOpen", json!({ "textDocument": item }));
    }

    /// Replaces all of the text.
    pub fn replace(&mut self, uri: &str, version: i32, text: &str) {
        self.change(uri, version, json!({ "text": text }));
    }

    /// Changes a part of the text.
    pub fn change(&mut self, uri: &str, version: i32, change: Value) {
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        self.say("textDocument/didChange", params);
    }

    /// The problems of that version of a file, as soon as they are told.
    pub fn problems(&mut self, uri: &str, version: i32) -> Vec<Value> {
        loop {
            let of = |told: &&(String, Value, Vec<Value>)| told.0 == uri && told.1 == version;
            if let Some((.., problems)) = self.told.iter().rev().find(of) {
                return problems.clone();
            }
            self.receive();
        }
    }

    /// How often problems of a file have been told.
    pub fn times_told(&self, uri: &str) -> usize {
        self.told.iter().filter(|(told, ..)| told == uri).count()
    }

    /// Asks about the place at the mark `¦` of a text, which is opened without it.
    pub fn ask_at(&mut self, uri: &str, marked: &str, method: &str, more: Value) -> Value {
        self.try_ask_at(uri, marked, method, more).unwrap()
    }

    /// The same; or why not.
    pub fn try_ask_at(
        &mut self,
        uri: &str,
        marked: &str,
        method: &str,
        more: Value,
    ) -> Result<Value, String> {
        let (text, at) = unmarked(marked);
        self.open(uri, &text);
        let mut params = json!({ "textDocument": { "uri": uri }, "position": at });
        if let (Value::Object(params), Value::Object(more)) = (&mut params, more) {
            params.extend(more);
        }
        self.try_ask(method, params)
    }

    /// Says goodbye; the exit code.
    pub fn goodbye(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.say("exit", Value::Null);
        self.child.wait().unwrap().code()
    }

    /// Goes away without a word; the exit code of the server.
    pub fn vanish(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }

    fn receive(&mut self) -> Message {
        let message = self.messages.recv_timeout(PATIENCE).unwrap();
        if let Message::Notification(note) = &message
            && note.method == "textDocument/publishDiagnostics"
        {
            self.told.push((
                note.params["uri"].as_str().unwrap().to_owned(),
                note.params["version"].clone(),
                note.params["diagnostics"].as_array().unwrap().clone(),
            ));
        }
        message
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A text without its mark, and the position of the mark, in UTF-16.
pub fn unmarked(marked: &str) -> (String, Value) {
    let at = marked.find('¦').expect("a mark");
    let line = marked[..at].matches('\n').count();
    let column = marked[..at]
        .rsplit('\n')
        .next()
        .unwrap()
        .encode_utf16()
        .count();
    let position = json!({ "line": line, "character": column });
    (marked.replace('¦', ""), position)
}

/// A text after edits.
pub fn edited(text: &str, edits: &Value) -> String {
    let byte = |position: &Value| {
        let line = usize::try_from(position["line"].as_u64().unwrap()).unwrap();
        let column = usize::try_from(position["character"].as_u64().unwrap()).unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut units = 0;
        let of_line = text[start..].char_indices();
        let found = of_line.take_while(|(_, c)| {
            let before = units < column;
            units += c.len_utf16();
            before
        });
        start + found.map(|(_, c)| c.len_utf8()).sum::<usize>()
    };
    let mut places: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            let new = edit["newText"].as_str().unwrap();
            (byte(&range["start"]), byte(&range["end"]), new)
        })
        .collect();
    places.sort_unstable();
    let mut text = text.to_owned();
    for (start, end, new) in places.into_iter().rev() {
        text.replace_range(start..end, new);
    }
    text
}
