//! The conversation: requests, answers, and what the server says by itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc::{self, Receiver};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Exit, Notification as _,
    PublishDiagnostics,
};
use lsp_types::request::{
    Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest,
    PrepareRenameRequest, References, Rename, Request as _, Shutdown,
};
use lsp_types::{
    CompletionOptions, CompletionParams, CompletionResponse, DidChangeTextDocumentParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DocumentFormattingParams,
    DocumentSymbolParams, DocumentSymbolResponse, GotoDefinitionParams, GotoDefinitionResponse,
    HoverParams, HoverProviderCapability, InitializeParams, InitializeResult, OneOf,
    PrepareRenameResponse, PublishDiagnosticsParams, ReferenceParams, RenameOptions, RenameParams,
    ServerCapabilities, ServerInfo, TextDocumentPositionParams, TextDocumentSyncCapability,
    TextDocumentSyncKind, Uri, WorkDoneProgressOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{Document, is_flow};
use super::kinds::Kind;
use super::text::Encoding;
use super::{Workspace, complete, diagnose, hover, layout, navigate, symbols};

/// Serves an editor until it says goodbye.
///
/// # Errors
/// The editor does not speak the protocol, or went away without saying goodbye.
pub fn serve(
    connection: &Connection,
    workspace: &dyn Workspace,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let general = params.capabilities.general.as_ref();
    let offered = general.and_then(|general| general.position_encodings.as_deref());
    let encoding = Encoding::negotiated(offered);
    let snippets = params
        .capabilities
        .text_document
        .and_then(|text| text.completion?.completion_item?.snippet_support);
    connection.initialize_finish(id, serde_json::to_value(about(encoding))?)?;
    let mut server = Server {
        connection,
        workspace,
        encoding,
        snippets: snippets.unwrap_or(false),
        documents: BTreeMap::new(),
    };
    server.converse()
}

fn about(encoding: Encoding) -> InitializeResult {
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(encoding.kind()),
            text_document_sync: Some(TextDocumentSyncCapability::Kind(
                TextDocumentSyncKind::INCREMENTAL,
            )),
            completion_provider: Some(CompletionOptions {
                trigger_characters: Some(["{", " ", "[", "."].map(str::to_owned).to_vec()),
                ..CompletionOptions::default()
            }),
            hover_provider: Some(HoverProviderCapability::Simple(true)),
            definition_provider: Some(OneOf::Left(true)),
            references_provider: Some(OneOf::Left(true)),
            document_symbol_provider: Some(OneOf::Left(true)),
            document_formatting_provider: Some(OneOf::Left(true)),
            rename_provider: Some(OneOf::Right(RenameOptions {
                prepare_provider: Some(true),
                work_done_progress_options: WorkDoneProgressOptions::default(),
            })),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo {
            name: "jobrunner".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    }
}

struct Server<'a> {
    connection: &'a Connection,
    workspace: &'a dyn Workspace,
    encoding: Encoding,
    snippets: bool,
    /// The open flows, by what the editor calls them.
    documents: BTreeMap<String, Document>,
}

type Done = Result<(), Box<dyn Error + Send + Sync>>;

impl Server<'_> {
    fn converse(&mut self) -> Done {
        let (sender, queue) = mpsc::channel();
        // The connection holds one message at a time: what comes while a flow is checked waits in the queue.
        let receiver = self.connection.receiver.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for message in receiver {
                    if sender.send(message).is_err() {
                        break;
                    }
                }
            });
            self.serve(&queue)
        })
    }

    fn serve(&mut self, queue: &Receiver<Message>) -> Done {
        while let Ok(message) = queue.recv() {
            // All that has come by now is taken in before anything is checked.
            for message in [message].into_iter().chain(queue.try_iter()) {
                match message {
                    Message::Request(request) if request.method == Shutdown::METHOD => {
                        let goodbye = Response::new_ok(request.id, ());
                        self.connection.sender.send(goodbye.into())?;
                        // Whatever else is asked now is no longer answered.
                        while queue.recv().is_ok_and(|message| !is_exit(&message)) {}
                        return Ok(());
                    }
                    Message::Request(request) => {
                        let response = self.answer(request);
                        self.connection.sender.send(response.into())?;
                    }
                    Message::Notification(notification) => self.note(notification)?,
                    // The server asks nothing.
                    Message::Response(_) => {}
                }
            }
            self.tell()?;
        }
        Ok(())
    }

    /// Takes in what the editor says about its files. What does not make sense is passed over, as the protocol wants.
    fn note(&mut self, notification: Notification) -> Done {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                if let Ok(DidOpenTextDocumentParams { text_document }) =
                    serde_json::from_value(params)
                    && is_flow(text_document.uri.as_str())
                {
                    let key = text_document.uri.as_str().to_owned();
                    let document = Document::open(
                        text_document.uri,
                        text_document.version,
                        text_document.text,
                        self.encoding,
                    );
                    self.documents.insert(key, document);
                }
            }
            DidChangeTextDocument::METHOD => {
                if let Ok(DidChangeTextDocumentParams {
                    text_document,
                    content_changes,
                }) = serde_json::from_value(params)
                    && let Some(document) = self.documents.get_mut(text_document.uri.as_str())
                {
                    document.change(text_document.version, content_changes);
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Ok(DidCloseTextDocumentParams { text_document }) =
                    serde_json::from_value(params)
                    && let Some(document) = self.documents.remove(text_document.uri.as_str())
                {
                    // What is closed has no problems any more.
                    self.publish(document.uri, None, Vec::new())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells what is wrong with each file that has changed.
    fn tell(&mut self) -> Done {
        let mut found = Vec::new();
        for document in self
            .documents
            .values_mut()
            .filter(|document| !document.told)
        {
            document.told = true;
            let text = document.text.as_str();
            let (bundle, problems) = self.workspace.check(&document.path, text);
            let diagnostics = diagnose::diagnostics(document, &bundle, &problems);
            found.push((document.uri.clone(), Some(document.version), diagnostics));
        }
        for (uri, version, diagnostics) in found {
            self.publish(uri, version, diagnostics)?;
        }
        Ok(())
    }

    fn publish(
        &self,
        uri: Uri,
        version: Option<i32>,
        diagnostics: Vec<lsp_types::Diagnostic>,
    ) -> Done {
        let params = PublishDiagnosticsParams {
            uri,
            diagnostics,
            version,
        };
        let note = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
        self.connection.sender.send(note.into())?;
        Ok(())
    }

    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let snippets = self.snippets;
        let workspace = self.workspace;
        match method.as_str() {
            Completion::METHOD => self.about(
                (id, params),
                |params: &CompletionParams| &params.text_document_position.text_document.uri,
                |params, document, kinds| {
                    let at = params.text_document_position.position;
                    let items = complete::complete(document, at, (kinds, workspace), snippets);
                    reply(Some(CompletionResponse::Array(items)))
                },
            ),
            HoverRequest::METHOD => self.about(
                (id, params),
                |params: &HoverParams| &params.text_document_position_params.text_document.uri,
                |params, document, kinds| {
                    let at = params.text_document_position_params.position;
                    reply(hover::hover(document, at, kinds))
                },
            ),
            GotoDefinition::METHOD => self.about(
                (id, params),
                |params: &GotoDefinitionParams| {
                    &params.text_document_position_params.text_document.uri
                },
                |params, document, kinds| {
                    let at = params.text_document_position_params.position;
                    let found = navigate::definition(document, at, kinds);
                    reply(found.map(GotoDefinitionResponse::Scalar))
                },
            ),
            References::METHOD => self.about(
                (id, params),
                |params: &ReferenceParams| &params.text_document_position.text_document.uri,
                |params, document, _| {
                    let at = params.text_document_position.position;
                    let own = params.context.include_declaration;
                    reply(navigate::references(document, at, own))
                },
            ),
            PrepareRenameRequest::METHOD => self.about(
                (id, params),
                |at: &TextDocumentPositionParams| &at.text_document.uri,
                |at, document, _| {
                    let place = navigate::renameable(document, at.position);
                    reply(place.map(PrepareRenameResponse::Range))
                },
            ),
            Rename::METHOD => self.about(
                (id, params),
                |params: &RenameParams| &params.text_document_position.text_document.uri,
                |params, document, _| {
                    let at = params.text_document_position.position;
                    let edits = navigate::rename(document, at, &params.new_name)?;
                    let changes = serde_json::json!({ document.uri.as_str(): edits });
                    Ok(serde_json::json!({ "changes": changes }))
                },
            ),
            DocumentSymbolRequest::METHOD => self.about(
                (id, params),
                |params: &DocumentSymbolParams| &params.text_document.uri,
                |_, document, _| {
                    reply(symbols::symbols(document).map(DocumentSymbolResponse::Nested))
                },
            ),
            Formatting::METHOD => self.about(
                (id, params),
                |params: &DocumentFormattingParams| &params.text_document.uri,
                |_, document, _| reply(layout::edits(document)),
            ),
            other => Response::new_err(
                id,
                ErrorCode::MethodNotFound as i32,
                format!("`{other}` is not offered"),
            ),
        }
    }

    /// Answers a request about an open file. Of a file that is none of ours there is nothing to say.
    fn about<P: DeserializeOwned>(
        &mut self,
        (id, params): (RequestId, Value),
        uri: fn(&P) -> &Uri,
        work: impl FnOnce(P, &Document, &[Kind]) -> Result<Value, String>,
    ) -> Response {
        let params: P = match serde_json::from_value(params) {
            Ok(params) => params,
            Err(error) => {
                return Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string());
            }
        };
        let result = match self.documents.get_mut(uri(&params).as_str()) {
            Some(document) => {
                let kinds = self.workspace.kinds(&document.path);
                document.refresh(&kinds);
                work(params, document, &kinds)
            }
            None => Ok(Value::Null),
        };
        match result {
            Ok(result) => Response::new_ok(id, result),
            Err(why) => Response::new_err(id, ErrorCode::InvalidParams as i32, why),
        }
    }
}

fn is_exit(message: &Message) -> bool {
    matches!(message, Message::Notification(note) if note.method == Exit::METHOD)
}

fn reply(result: Option<impl Serialize>) -> Result<Value, String> {
    serde_json::to_value(result).map_err(|error| error.to_string())
}
